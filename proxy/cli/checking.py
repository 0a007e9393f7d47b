"""The checks of `check`, one row for each application and route; key material comes through proxy.keys alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from email.utils import formatdate
from typing import TYPE_CHECKING

from proxy.app.listeners import tls_context
from proxy.app.token_files import AdminTokens
from proxy.app.tracing import try_traces
from proxy.audit.place import judge as judge_trail
from proxy.cli import applications, authorities, material
from proxy.cli.rows import Row
from proxy.cli.sealing import Sealer, seal
from proxy.cli.verification import judge, parse
from proxy.config.interception import intercepted_hosts
from proxy.config.routes import resolve
from proxy.core.routing import Access
from proxy.core.secret import Secret
from proxy.errors import PROBLEMS, KeyUnusable, ProxyError
from proxy.keys.authority import load
from proxy.keys.credentials import read_secret
from proxy.keys.guarded import read_public_file
from proxy.keys.source import CertificateFacts, LoadedKey
from proxy.keys.tokens import read_tokens

if TYPE_CHECKING:
    from proxy.config.model import Application, Config
    from proxy.config.routes import ResolvedRoute
    from proxy.keys.vault.client import Vault

_TARGET = b"/signing-proxy/check?a=%20b"
# What a route may override on purpose, or what is the upstream's own business.
_SETTINGS = frozenset(("key_id", "host_form", "host_differs"))

Keys = dict[str, LoadedKey | None]


def check_everything(config: Config, now: datetime) -> list[Row]:
    """now: aware."""
    keys: Keys = {}
    vault = applications.vault(config)
    rows = [*_files(config), *_listeners(config)]
    rows += [_application(name, application, now, keys, vault) for name, application in config.applications.items()]
    for name, application in config.applications.items():
        rows += _next_key(name, application, now, vault)
    rows += [_route(route, config.applications[route.application], now, keys, vault) for route in resolve(config)]
    return rows + list(_authority(config))


def _authority(config: Config) -> Iterator[Row]:
    """The CA, where interception is configured.  It is not made here: a check changes nothing."""
    try:
        settings = authorities.settings_of(config)
    except KeyUnusable:
        return
    name = settings.directory or settings.certificate_file or ""
    try:
        found = load(settings, intercepted_hosts(config), clock=authorities.now)
    except KeyUnusable as error:
        missing = error.code == "ca_missing"
        yield Row("ca", name, None, "made when the proxy starts") if missing else Row.problem("ca", name, error)
        return
    text = f"for {', '.join(found.hosts)}, {found.fingerprint_sha256[:16]}… until {found.not_after:%Y-%m-%d}"
    facts = {"hosts": list(found.hosts), "fingerprint_sha256": found.fingerprint_sha256,
             "not_after": found.not_after.isoformat()}
    yield Row("ca", name, True, text, warnings=found.warnings, facts=facts)


def _files(config: Config) -> Iterator[Row]:
    """Files beside those of the applications."""
    egress = config.egress_proxy
    if egress is not None and (egress.password_file or egress.password_env):
        name = "egress_proxy.password"
        try:
            read_secret(file=egress.password_file, env=egress.password_env, what=name,
                        allow_group_read=egress.allow_group_read, environ=applications.environ())
            yield Row("file", name, True, "")
        except KeyUnusable as error:
            yield Row.problem("file", name, error)
    if config.upstream_ca_file is not None:
        try:
            read_public_file(config.upstream_ca_file)
            yield Row("file", "upstream_ca_file", True, "")
        except KeyUnusable as error:
            yield Row.problem("file", "upstream_ca_file", error)
    if config.audit is not None:
        try:
            yield Row("file", "audit", True, judge_trail(config.audit.file))
        except ProxyError as error:
            yield Row.problem("file", "audit", error)
    if config.traces is not None:
        try:
            try_traces(config.traces)
            yield Row("file", "traces", True, "spans can be sent")
        except ProxyError as error:
            yield Row.problem("file", "traces", error)


def _listeners(config: Config) -> Iterator[Row]:
    """How each listener, and the admin port, knows its clients."""
    if config.admin and (config.admin_token_file or config.admin_token_env):
        try:
            count = len(AdminTokens(config, applications.environ()).current())
            yield Row("listener", "admin", True, f"{count} admin tokens" if count > 1 else "an admin token")
        except KeyUnusable as error:
            yield Row.problem("listener", "admin", error)
    for name, listener in config.all_listeners().items():
        ways = []
        try:
            if listener.client_token_file is not None:
                count = len(read_tokens(listener.client_token_file, allow_group_read=config.token_allow_group_read))
                ways.append(f"{count} client tokens" if count > 1 else "a client token")
            if listener.tls is not None:
                tls_context(listener.tls)
                ways.append("TLS with client certificates" if listener.tls.client_ca_file is not None else "TLS")
        except KeyUnusable as error:
            yield Row.problem("listener", name, error)
            continue
        if ways:
            yield Row("listener", name, True, ", ".join(ways))


def _application(name: str, application: Application, now: datetime, keys: Keys, vault: Vault | None) -> Row:
    try:
        loaded = keys[name] = applications.key(application, now, vault)
        applications.client_id(application, vault)
        applications.client_secret(application, vault)
    except KeyUnusable as error:
        return Row.problem("application", name, error)
    if loaded is None:
        return Row("application", name, True, "no key; its routes skip signing")
    return Row("application", name, True, _describe(loaded), warnings=loaded.warnings, facts=_facts(loaded))


def _next_key(name: str, application: Application, now: datetime, vault: Vault | None) -> Iterator[Row]:
    label = f"{name}, next key"
    try:
        loaded = applications.next_key(application, now, vault)
    except KeyUnusable as error:
        yield Row.problem("application", label, error)
        return
    if loaded is not None:
        yield Row("application", label, True, _describe(loaded), warnings=loaded.warnings, facts=_facts(loaded))


def _describe(loaded: LoadedKey) -> str:
    text = f"RSA {loaded.signer.bits}, key {loaded.signer.spki_sha256[:16]}…"
    facts = loaded.certificate
    if facts is None:
        return text
    claims = f"{' '.join(facts.roles) or 'no roles'}, {facts.qc_type or 'no QcType'}"
    return f"{text}, certificate {facts.serial} until {facts.not_after:%Y-%m-%d}, {claims}"


def _facts(loaded: LoadedKey) -> dict[str, object]:
    key = {"bits": loaded.signer.bits, "spki_sha256": loaded.signer.spki_sha256}
    return {"key": key, "certificate": _certificate(loaded.certificate) if loaded.certificate else None}


def _certificate(facts: CertificateFacts) -> dict[str, object]:
    return {"subject": facts.subject, "issuer": facts.issuer, "serial": facts.serial,
            "organization_identifier": facts.organization_identifier,
            "not_before": facts.not_before.isoformat(), "not_after": facts.not_after.isoformat(),
            "roles": list(facts.roles), "qc_type": facts.qc_type, "fingerprint_sha256": facts.fingerprint_sha256}


def _route(route: ResolvedRoute, application: Application, now: datetime, keys: Keys, vault: Vault | None) -> Row:
    where = f"{route.prefix.decode()} on {route.listener} to {route.upstream.authority}{route.upstream.base}"
    if not route.signs:
        return Row("route", route.name, True, f"{where}, signing skipped")
    loaded = keys.get(route.application)
    if loaded is None:
        error = KeyUnusable("key_unavailable", f"application {route.application} has no usable key")
        return Row.problem("route", route.name, error)
    try:
        fault = _test(route, application, loaded, now, vault)
    except ProxyError as error:
        return Row.problem("route", route.name, error)
    if fault:
        return Row("route", route.name, False, fault, "signing_failed")
    problem = PROBLEMS["not_the_sandbox_key"]
    foreign = route.profile.key_spki_sha256 not in ("", loaded.signer.spki_sha256)
    return Row("route", route.name, True, f"{where}, test signatures verified",
               warnings=(f"{problem.title} {problem.hint}",) if foreign and not route.upstream.is_loopback else ())


def _test(route: ResolvedRoute, application: Application, loaded: LoadedKey, now: datetime,
          vault: Vault | None) -> str:
    """Seals a GET and a POST as the proxy would, and has them judged by code that shares nothing with that."""
    sealer = Sealer(rules=route.rules, client_id=applications.client_id(application, vault), secret=Secret(b"***"),
                    signer=loaded.signer, origin="", access=Access())
    if loaded.certificate is not None:
        key = material.from_certificate(loaded.certificate.der)
    elif application.key_file is None:
        assert loaded.public_key is not None
        key = loaded.public_key
    else:
        secret = material.password(application.key_password_file, application.key_password_env)
        key = material.from_key_file(application.key_file, secret, allow_group_read=application.allow_group_read)
    for method, body in (("GET", b""), ("POST", b'{"a": "\xc3\xa5"}')):
        sealed = seal(sealer, method, _TARGET, (), body, formatdate(now.timestamp(), usegmt=True))
        verdict = judge(parse(sealed.plan.complete(sealed.signature or b"")), key)
        faults = [finding for finding in verdict.findings if finding.cause not in _SETTINGS]
        if faults:
            return f"the test signature of a {method} does not verify. {faults[0].sentence}"
    return ""
