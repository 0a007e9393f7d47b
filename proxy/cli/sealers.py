"""Where `sign` gets its rules and key from: a route of a configuration, or a profile and options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from proxy.cli import applications
from proxy.cli.failures import warn
from proxy.cli.sealing import Address, Sealer
from proxy.cli.settings import load_config
from proxy.core.profiles import PROFILES, Profile
from proxy.core.routing import Access, RouteTable
from proxy.core.secret import Secret
from proxy.core.signing import SigningRules
from proxy.core.target import origin_form, path_of
from proxy.errors import PROBLEMS, KeyUnusable
from proxy.keys.credentials import header_value, read_secret
from proxy.keys.files import FileSettings, FileSource
from proxy.wire.limits import Limits

if TYPE_CHECKING:
    from proxy.config.model import Config
    from proxy.config.routes import ResolvedRoute
    from proxy.keys.source import Signer

HIDDEN = Secret(b"***")


def from_profile(name: str, address: Address, own: Mapping[str, Any], now: datetime, *, show_secret: bool) -> Sealer:
    """own: the options that go with --profile; None where one was not given."""
    profile = PROFILES.get(name)
    if profile is None:
        raise click.UsageError(f"There is no such profile. Give one of {', '.join(sorted(PROFILES))}.")
    if address.host and address.host != profile.host:
        warn(f"The URL's host is not {profile.host}, the host of profile {name}, and is signed as it is.")
    authority = (address.authority.lower() or profile.host).removesuffix(":443")
    rules = {key: own[key] for key in ("key_id", "empty_body", "form", "default_content_type") if own[key] is not None}
    identity = header_value(own["client_id"].encode("utf-8", "surrogateescape"), "client id").secret.reveal()
    loaded = FileSource(FileSettings(
        key_file=own["key_file"], certificate_file=own["certificate_file"],
        key_password_file=own["key_password_file"], allow_group_read=bool(own["allow_group_read"]))).load(now)
    _warn_of_foreign_key(profile, loaded.signer)
    return Sealer(
        rules=SigningRules(profile, host=address.host or None, authority=authority, **rules),
        client_id=applications.fit_for_key_id(identity), secret=_secret(own, show_secret), signer=loaded.signer,
        origin=f"https://{authority}", access=Access(), body_limit=Limits().body)


def _secret(own: Mapping[str, Any], show_secret: bool) -> Secret:
    file, env = own["client_secret_file"], own["client_secret_env"]
    if not show_secret:
        return HIDDEN
    return read_secret(file=file, env=env, what="client secret", environ=os.environ,
                       allow_group_read=bool(own["allow_group_read"])).secret


def _warn_of_foreign_key(profile: Profile, signer: Signer) -> None:
    if profile.key_spki_sha256 and signer.spki_sha256 != profile.key_spki_sha256:
        problem = PROBLEMS["not_the_sandbox_key"]
        warn(f"{problem.title} {problem.hint}")


def from_config(path: str | None, name: str | None, address: Address, now: datetime, *, show_secret: bool) -> Sealer:
    """The route called name, or the one the target takes on the main listener."""
    config = load_config(path)
    route = _route(config, name, address)
    if address.host and address.host not in (route.upstream.name, route.profile.host):
        raise click.UsageError(f"The URL's host is not the route's, {route.upstream.name}. Give that, or the path "
                               "alone.")
    application = config.applications[route.application]
    vault = applications.vault(config)
    loaded = applications.key(application, now, vault) if route.signs else None
    if route.signs and loaded is None:
        raise KeyUnusable("key_unavailable", f"application {route.application} has no key")
    if loaded is not None and not route.upstream.is_loopback:
        _warn_of_foreign_key(route.profile, loaded.signer)
    return Sealer(
        rules=route.rules, client_id=applications.client_id(application, vault),
        secret=applications.client_secret(application, vault) if show_secret else HIDDEN,
        signer=loaded.signer if loaded else None, origin=_origin(route), access=route.access, strip=route.strip,
        body_limit=config.limits.body)


def _origin(route: ResolvedRoute) -> str:
    host = f"[{route.upstream.host}]" if ":" in route.upstream.host else route.upstream.host
    return f"https://{host}" + (f":{route.upstream.port}" if route.upstream.port != 443 else "")


def _route(config: Config, name: str | None, address: Address) -> ResolvedRoute:
    from proxy.config.model import MAIN
    from proxy.config.routes import resolve

    routes = resolve(config)
    if name is None:
        table = RouteTable(route for route in routes if route.listener == MAIN)
        return table.find(path_of(origin_form(address.target)))
    for route in routes:
        if route.name == name:
            return route
    raise click.UsageError(f"There is no such route. Give one of {', '.join(route.name for route in routes)}.")
