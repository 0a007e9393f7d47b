"""A route must lead somewhere, be reachable, and never send unsigned requests to anything but a sandbox."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from proxy.config.address import is_host
from proxy.config.application_checks import check_quotable
from proxy.config.model import Config, Route
from proxy.config.problems import Problems, did_you_mean, shown
from proxy.config.routes import parse_upstream, refuse_path, route_names, upstream_of
from proxy.core.profiles import PROFILES, Profile
from proxy.core.routing import Rule

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  (RFC 9110 section 5.6.2, nothing secret)
_CONTENT_TYPE = re.compile(rf"{_TOKEN}/{_TOKEN}(?: *;[ -~]+)?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/-]{0,127}")


def check_routes(config: Config, problems: Problems) -> None:
    if not config.routes:
        problems.add("routes", "No route is configured. Write at least `routes: nordea`.")
    for index, route in enumerate(config.routes):
        path = f"routes[{index}]"
        _check_values(path, route, problems)
        _check_references(path, route, config, problems)
        profile = PROFILES.get(route.profile)
        if profile is not None:
            _check_skip(path, route, profile, problems)
    _check_duplicates(config.routes, problems)


def _check_values(path: str, route: Route, problems: Problems) -> None:
    _attempt(f"{path}.prefix", _check_prefix, [route.prefix], problems)
    _attempt(f"{path}.upstream", parse_upstream, [route.upstream] if route.upstream is not None else [], problems)
    for index, rule in enumerate(route.allow):
        _attempt(f"{path}.allow[{index}]", _check_rule, [rule], problems)
    if route.host is not None and not is_host(route.host):
        problems.add(f"{path}.host", "This is not a host name. Write the name alone, without https://, port or path.")
    if route.name is not None and _NAME.fullmatch(route.name) is None:
        problems.add(f"{path}.name", "This is not a name. Use letters, digits and any of _ - . : @ /, 128 at most.")
    if _CONTENT_TYPE.fullmatch(route.default_content_type) is None:
        problems.add(f"{path}.default_content_type", "This is not a media type. Write one such as application/json.")
    check_quotable(f"{path}.key_id", route.key_id, problems)


def _attempt(path: str, check: Callable[[str], object], values: Iterable[str], problems: Problems) -> None:
    for value in values:
        try:
            check(value)
        except ValueError as error:
            problems.add(path, str(error))


def _check_prefix(prefix: str) -> None:
    if not prefix.startswith("/"):
        raise ValueError("A prefix begins with '/'. Write one such as /corporate.")
    refuse_path(prefix)


def _check_rule(text: str) -> None:
    try:
        Rule(text)
    except ValueError as error:
        raise ValueError(f"This rule cannot be read: {error}. Write one such as GET,POST /personal/v5/*.") from None


def _check_references(path: str, route: Route, config: Config, problems: Problems) -> None:
    listeners = list(config.all_listeners())
    if route.profile not in PROFILES:
        problems.add(f"{path}.profile", f"There is no such profile. {did_you_mean(route.profile, PROFILES)}")
    if route.listener not in listeners:
        problems.add(f"{path}.listener", f"There is no such listener. {did_you_mean(route.listener, listeners)}",
                     "listeners")
    _check_application(f"{path}.application", route, config, problems)


def _check_application(path: str, route: Route, config: Config, problems: Problems) -> None:
    names = list(config.applications)
    if route.application is None and len(names) > 1:
        problems.add(path, f"There are several applications. Write {shown(names[0])} or another one's name here.")
    if route.application is not None and names and route.application not in names:
        problems.add(path, f"There is no such application. {did_you_mean(route.application, names)}", "applications")


def _check_skip(path: str, route: Route, profile: Profile, problems: Problems) -> None:
    """The peer proves by its certificate that it is the named host, so the name decides; loopback proves itself."""
    if route.signature != "skip":
        return
    place, needs = f"{path}.signature", (f"{path}.profile", f"{path}.upstream", f"{path}.host")
    if not profile.skip_signature:
        problems.add(place, f"Profile {profile.name} takes no unsigned requests. Write sign, or use the sandbox's "
                            "profile.", *needs)
        return
    try:
        upstream = upstream_of(route, profile)
    except ValueError:
        return
    if upstream.name not in profile.skip_hosts and not upstream.is_loopback:
        problems.add(place, "Unsigned requests go only to the sandbox or to this machine. Write sign, or remove "
                            "upstream and host.", *needs)


def _check_duplicates(routes: tuple[Route, ...], problems: Problems) -> None:
    prefixes: dict[tuple[str, str], int] = {}
    names: dict[str, int] = {}
    for index, (route, name) in enumerate(zip(routes, route_names(routes), strict=True)):
        first = prefixes.setdefault((route.listener, route.prefix.rstrip("/")), index)
        if first != index:
            problems.add(f"routes[{index}].prefix", f"routes[{first}] has the same prefix on the same listener. Give "
                                                    "one of them another prefix or listener.",
                         *(f"routes[{i}].{key}" for i in (first, index) for key in ("prefix", "listener")))
            continue
        first = names.setdefault(name, index)
        if first != index:
            problems.add(f"routes[{index}].name", f"routes[{first}] has the same name. Give one of them another name.",
                         *(f"routes[{i}].{key}" for i in (first, index) for key in ("name", "profile")))
