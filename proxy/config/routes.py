"""The routes as the proxy runs them, with every default filled in."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from proxy.config.address import bracketed, is_loopback, split_host_port
from proxy.config.model import MAIN, Config, Route
from proxy.core.profiles import PROFILES, Profile
from proxy.core.routing import Access
from proxy.core.signing import SigningRules
from proxy.core.target import origin_form
from proxy.errors import Refused

HTTPS_PORT = 443
_UPSTREAM = re.compile(r"https://(?P<authority>[^/?#@\\]+)(?P<base>/.*)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a route's requests go, always by TLS.

    host, port: to connect to; IPv6 without brackets.  base: path before every target, "" or without trailing slash.
    name: what is sent as SNI and must be in the certificate.  authority: the Host header's value.
    """

    host: str
    port: int
    base: str
    name: str
    authority: str

    @property
    def signed_host(self) -> str:
        """What is signed as the host: the name, an IPv6 address in brackets."""
        return bracketed(self.name)

    @property
    def public_port(self) -> int:
        """The port in the bank's own URLs; another one may be dialled where `host` is set."""
        found = split_host_port(self.authority)
        return (found[1] if found is not None else None) or HTTPS_PORT

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class ResolvedRoute:
    """One route.  strip: what is removed from the front of a path, b"" for nothing.  rules: for core.signing.

    payments: path segments that need the role for payments; empty when roles are not looked at.
    self_verify: whether what is about to be sent is judged once more.
    """

    name: str
    listener: str
    prefix: bytes
    strip: bytes
    profile: Profile
    upstream: Upstream
    application: str
    access: Access
    rules: SigningRules
    payments: frozenset[bytes]
    self_verify: bool

    @property
    def signs(self) -> bool:
        """False: the sandbox's literal stands in for a signature, and no key is needed."""
        return not self.rules.skip


def resolve(config: Config) -> tuple[ResolvedRoute, ...]:
    """config: one that load() returned, or as good as one; problems raise ValueError, KeyError or Refused."""
    names = route_names(config.routes)
    return tuple(_resolve(route, name, application_of(config, route), config.self_verify)
                 for route, name in zip(config.routes, names, strict=True))


def _resolve(route: Route, name: str, application: str, self_verify: bool | None) -> ResolvedRoute:
    """self_verify: None leaves it to the profile: a sandbox is where people develop."""
    profile = PROFILES[route.profile]
    upstream = upstream_of(route, profile)
    rules = SigningRules(
        profile, host=upstream.signed_host, authority=upstream.authority, base=upstream.base,
        empty_body=route.empty_body, default_content_type=route.default_content_type, form=route.form,
        key_id=route.key_id, skip=route.signature == "skip")
    prefix = route.prefix.encode()
    return ResolvedRoute(
        name=name, listener=route.listener, prefix=prefix, strip=prefix.rstrip(b"/") if route.strip_prefix else b"",
        profile=profile, upstream=upstream, application=application, rules=rules,
        access=Access(route.allow, allow_encoded_slash=route.allow_encoded_slash),
        payments=profile.payment_segments if route.check_roles else frozenset(),
        self_verify=bool(profile.skip_hosts) if self_verify is None else self_verify)


def application_of(config: Config, route: Route) -> str:
    """The route's application, or the only one.  Raises ValueError when there is no such single one."""
    if route.application is not None:
        return route.application
    (only,) = config.applications
    return only


def upstream_of(route: Route, profile: Profile) -> Upstream:
    """Raises ValueError with a sentence."""
    upstream = parse_upstream(route.upstream or f"https://{profile.host}")
    if route.host is None:
        return upstream
    name = route.host.lower().strip("[]")
    return Upstream(upstream.host, upstream.port, upstream.base, name=name, authority=bracketed(name))


def parse_upstream(url: str) -> Upstream:
    """Reads https://host[:port][/base].  Raises ValueError with a sentence that does not repeat the value."""
    if url.lower().startswith("http://"):
        raise ValueError("Requests would travel in clear. Write https:// instead of http://.")
    if "@" in url:
        raise ValueError("An upstream carries no user name or password. Remove the part before '@'.")
    if "?" in url or "#" in url:
        raise ValueError("An upstream has no query or fragment. Remove everything from the '?' or '#' on.")
    match = _UPSTREAM.fullmatch(url)
    found = split_host_port(match["authority"]) if match else None
    if match is None or found is None:
        raise ValueError("This is not an address of a bank. Write https://host[:port][/base].")
    base = (match["base"] or "").rstrip("/")
    if base:
        refuse_path(base)
    host, port = found[0].lower(), found[1] or HTTPS_PORT
    authority = bracketed(host) if port == HTTPS_PORT else f"{bracketed(host)}:{port}"
    return Upstream(host, port, base, name=host, authority=authority)


def refuse_path(path: str) -> None:
    """Raises ValueError with a sentence when no request target could begin with this path."""
    try:
        origin_form(path.encode())
    except Refused as refused:
        raise ValueError(f"This path cannot be part of a request: {refused.detail}. Write it as it is sent, such as "
                         "/corporate.") from None
    if "?" in path:
        raise ValueError("A path has no query. Remove everything from the '?' on.")


def route_names(routes: tuple[Route, ...]) -> list[str]:
    """The names as given; else the profile, with the prefix, then the listener, where routes would share it."""
    shared = Counter(route.profile for route in routes if route.name is None)
    longer = [route.profile + (route.prefix.rstrip("/") if shared[route.profile] > 1 else "") for route in routes]
    clashes = Counter(name for name, route in zip(longer, routes, strict=True) if route.name is None)
    return [route.name if route.name is not None else _with_listener(name, route) if clashes[name] > 1 else name
            for name, route in zip(longer, routes, strict=True)]


def _with_listener(name: str, route: Route) -> str:
    return name if route.listener == MAIN else f"{name}@{route.listener}"
