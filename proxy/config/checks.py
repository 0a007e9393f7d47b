"""What no single value can know: whether the parts of a configuration fit together."""

from __future__ import annotations

import re

from proxy.config.address import split_egress, split_host_port
from proxy.config.application_checks import at_most_one, check_application, check_variables
from proxy.config.destinations import check_destinations
from proxy.config.interception import check_interception
from proxy.config.listener_checks import check_listeners
from proxy.config.model import Config, EgressProxy
from proxy.config.problems import Problems, below
from proxy.config.route_checks import check_routes
from proxy.config.trace_checks import check_traces
from proxy.core.headers import SECRET_NAMES, canonical

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_USERNAME = re.compile(r"[!-9;-~]+")


def check(config: Config, problems: Problems) -> None:
    check_routes(config, problems)
    _check_applications(config, problems)
    check_listeners(config, problems)
    at_most_one("", config, ("admin_token_file", "admin_token_env"), problems)
    check_variables("", config, problems)
    _check_hosts(config, problems)
    _check_numbers(config, problems)
    _check_inspector(config, problems)
    _check_workers(config, problems)
    check_interception(config, problems)
    check_destinations(config, problems)
    if config.traces is not None:
        check_traces(config.traces, problems)
    if config.egress_proxy is not None:
        _check_egress(config.egress_proxy, problems)


def _check_applications(config: Config, problems: Problems) -> None:
    if not config.applications:
        problems.add("applications", "No application is configured. Add one with its client_id, client_secret_file and "
                                     "key_file.")
    only = next(iter(config.applications)) if len(config.applications) == 1 else None
    for name, application in config.applications.items():
        signing = [route.profile for route in config.routes
                   if route.signature == "sign" and (route.application or only) == name]
        check_application(below("applications", name), application, signing, problems)


def _check_hosts(config: Config, problems: Problems) -> None:
    for index, host in enumerate(config.allowed_hosts):
        if split_host_port(host) is None:
            problems.add(f"allowed_hosts[{index}]", "This is not a host name. Write name or name:port, without "
                                                    "https:// or a path.")


def _check_numbers(config: Config, problems: Problems) -> None:
    if config.min_sigterm_delay > config.max_sigterm_delay:
        problems.add("min_sigterm_delay", "This is longer than max_sigterm_delay, which ends everything. Lower it or "
                                          "raise max_sigterm_delay.", "max_sigterm_delay")
    if config.limits.body > config.limits.buffered:
        problems.add("limits.buffered", "This is less than limits.body allows a single request. Raise it or lower "
                                        "limits.body.", "limits.body")


def _check_inspector(config: Config, problems: Problems) -> None:
    if config.inspect and not config.admin:
        problems.add("inspect", "The inspector is shown on the admin port, which is switched off. Switch the admin "
                                "port on or this off.", "admin")
    if config.inspect_memory < 4 * config.inspect_body_bytes:
        problems.add("inspect_memory", "This is less than one call may take up. Raise it to four times "
                                       "inspect_body_bytes or more.", "inspect_body_bytes")
    for index, name in enumerate(config.inspect_headers):
        if _HEADER_NAME.fullmatch(name) is None:
            problems.add(f"inspect_headers[{index}]", "This is not the name of a header. Write it without its colon.")
        elif canonical(name.encode()) in SECRET_NAMES:
            problems.add(f"inspect_headers[{index}]", "The value of this header is a secret and is never shown. Remove "
                                                      "the name.")


def _check_workers(config: Config, problems: Problems) -> None:
    if config.workers == 1:
        return
    if config.inspect:
        problems.add("workers", "The inspector shows the calls of one process only. Set workers to 1 or switch inspect "
                                "off.", "inspect")
    approle = config.vault.approle if config.vault is not None else None
    if approle is not None and approle.wrapped:
        problems.add("workers", "A wrapped secret id can be unwrapped once, and each worker logs in to Vault itself. "
                                "Set workers to 1, or let an agent log in and use its token_file.",
                     "vault.approle.wrapped")


def _check_egress(egress: EgressProxy, problems: Problems) -> None:
    path = "egress_proxy"
    try:
        split_egress(egress.url)
    except ValueError as error:
        problems.add(f"{path}.url", str(error))
    at_most_one(path, egress, ("password_file", "password_env"), problems)
    check_variables(path, egress, problems)
    if egress.username is not None and _USERNAME.fullmatch(egress.username) is None:
        problems.add(f"{path}.username", "This holds a colon, a space or a character outside ASCII, which Basic "
                                         "authentication cannot carry. Use another user.")
    has_password = egress.password_file is not None or egress.password_env is not None
    if egress.username is None and has_password:
        problems.add(f"{path}.username", "There is a password but no user name. Add it.")
    if egress.username is not None and not has_password:
        problems.add(f"{path}.password_file", "There is a user name but no password. Give password_file or "
                                              "password_env.", f"{path}.password_env")
