"""YAML, environment and flags become one frozen Config, or one error that lists every problem with its place.

    model        Config and its parts: what can be set, with defaults and descriptions
    routes       Config -> the routes as the proxy runs them: profile, upstream, signing rules, allow list
    address      is_loopback, host names and ports
    interception whether tunnels are intercepted, for which hosts, with which authority
    load         the way in: load(path, environ, flags)
    admin_place  where the admin port is, without all of this
    problems     the list of all problems
    document     the YAML file -> plain values, with the line of a duplicate key
    environment  SIGNING_PROXY_* -> plain values
    reading      plain values -> the model, leaf by leaf, so that one bad leaf hides no other
    checks       what no single leaf can know; route_checks, application_checks
    reference    the tables of docs/configuration.md and config/schema.json, from the model
"""
