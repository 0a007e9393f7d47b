"""What can be set: every key of the configuration file, with its default and its meaning.

The documentation, the JSON Schema and the reader are all driven by these types.  `shorthand` names the field that a
bare string stands for.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from proxy.audit.settings import AuditSettings
from proxy.core.destinations import Policy
from proxy.core.profiles import PROFILES
from proxy.core.signing import EmptyBody, FormRule
from proxy.keys.credentials import CredentialSettings
from proxy.keys.pkcs11 import Pkcs11Key
from proxy.keys.rotation import NextKey, Rotation
from proxy.keys.vault.settings import TransitKey, VaultField, VaultKey, VaultSettings
from proxy.serve.bank_clock import DateCorrection
from proxy.serve.logforms import LogFormat
from proxy.serve.shaping import ShapingSettings
from proxy.serve.traces.settings import TraceSettings
from proxy.wire.breaker import BreakerSettings
from proxy.wire.limits import Bytes, Count, Limits, Timeouts

Port = Annotated[int, Meta(ge=0, le=65535)]
TunnelPort = Annotated[int, Meta(ge=1, le=65535)]
Workers = Annotated[int, Meta(ge=1, le=64)]
Delay = Annotated[float, Meta(ge=0)]
MAIN = "main"


class ListenerTls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS between callers and a listener, and which client certificates it asks for."""

    certificate_file: Annotated[str, Meta(description="PEM file with the listener's certificate and its chain.")]
    key_file: Annotated[str, Meta(description="PEM file with its key, not encrypted, readable by the owner alone.")]
    client_ca_file: Annotated[str | None, Meta(description=(
        "PEM file of authorities; a caller must then present a certificate that one of them has signed."))] = None
    client_names: Annotated[tuple[str, ...], Meta(description=(
        "DNS names or URIs of client certificates that may call, or common names of those that have neither; empty: "
        "all that `client_ca_file` covers."))] = ()
    allow_group_read: Annotated[bool, Meta(description=(
        "Accept a key file that its group can read, as a Kubernetes fsGroup makes it."))] = False


class Listener(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One more place where the proxy accepts requests; routes name it with `listener`."""

    address: Annotated[str, Meta(description=(
        "IP address to listen on, `localhost`, or `unix:/path` for a Unix socket."))] = "127.0.0.1"
    port: Annotated[Port | None, Meta(description=(
        "Port to listen on; 0 lets the system choose; left out for a Unix socket."))] = None
    socket_mode: Annotated[str, Meta(description="Mode of the Unix socket, octal.")] = "0600"
    tls: Annotated[ListenerTls | None, Meta(description="Speak TLS on this listener.")] = None
    client_token_file: Annotated[str | None, Meta(description=(
        "File with the tokens for this listener; by default the main one's."))] = None


class Application(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one application is known by at the bank.  Secrets are never written here, only where they are."""

    client_id: Annotated[str | None, Meta(description="Client id as in the bank's portal, hyphens included.")] = None
    client_id_file: Annotated[str | None, Meta(description="File that holds the client id.")] = None
    client_id_env: Annotated[str | None, Meta(description="Environment variable that holds the client id.")] = None
    client_secret_file: Annotated[str | None, Meta(description="File that holds the client secret.")] = None
    client_secret_env: Annotated[
        str | None, Meta(description="Environment variable that holds the client secret.")] = None
    client_id_vault: Annotated[VaultField | None, Meta(description="Field in Vault that holds the client id.")] = None
    client_secret_vault: Annotated[
        VaultField | None, Meta(description="Field in Vault that holds the client secret.")] = None
    key_file: Annotated[str | None, Meta(description=(
        "Private key of the QSealC: PEM, DER, PKCS#12 or a bare base64 body. Not needed where every route of the "
        "application has `signature: skip`."))] = None
    certificate_file: Annotated[str | None, Meta(description=(
        "The QSealC itself, to check that it is the key's and in date. Not needed when `key_file` is a PKCS#12 "
        "file."))] = None
    key_password_file: Annotated[str | None, Meta(description="File that holds the key's password.")] = None
    key_password_env: Annotated[
        str | None, Meta(description="Environment variable that holds the key's password.")] = None
    key_pkcs11: Annotated[Pkcs11Key | None, Meta(description=(
        "Private key on a PKCS#11 token (HSM, smart card), instead of `key_file`."))] = None
    key_vault: Annotated[
        VaultKey | None, Meta(description="Private key in Vault's KV engine instead of a file.")] = None
    key_transit: Annotated[TransitKey | None, Meta(description=(
        "Key that never leaves Vault's Transit engine, which makes the signatures."))] = None
    next: Annotated[NextKey | None, Meta(description=(
        "The key that takes over when the bank has its certificate; the keys above are the current one."))] = None
    rotation: Annotated[Rotation, Meta(description="When `next` takes over.")] = msgspec.field(
        default_factory=Rotation)
    allow_group_read: Annotated[bool, Meta(description=(
        "Accept files that their group may read, as a Kubernetes `fsGroup` makes them."))] = False

    @property
    def credentials(self) -> CredentialSettings:
        return CredentialSettings(
            client_id=self.client_id, client_id_file=self.client_id_file, client_id_env=self.client_id_env,
            client_secret_file=self.client_secret_file, client_secret_env=self.client_secret_env,
            client_id_vault=self.client_id_vault, client_secret_vault=self.client_secret_vault,
            allow_group_read=self.allow_group_read)

    @property
    def needs_vault(self) -> bool:
        return any((self.key_vault, self.key_transit, self.client_id_vault, self.client_secret_vault,
                    self.next is not None and self.next.needs_vault))


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests under one prefix of one listener go to one bank, sealed for one application."""

    shorthand: ClassVar[str] = "profile"

    name: Annotated[str | None, Meta(description=(
        "Name in log lines and metrics; by default the profile, with the prefix where two routes share it."))] = None
    profile: Annotated[str, Meta(
        description="Bank and environment: " + ", ".join(f"`{name}`" for name in PROFILES) + ".",
        extra_json_schema={"enum": sorted(PROFILES)})]
    prefix: Annotated[str, Meta(description=(
        "Paths that belong to this route, in whole segments; the longest prefix wins."))] = "/"
    listener: Annotated[str, Meta(description="Listener that serves this route.")] = MAIN
    upstream: Annotated[str | None, Meta(description=(
        "`https://host[:port][/base]` to send to instead of the profile's host."))] = None
    host: Annotated[str | None, Meta(description=(
        "Host name that is signed, sent as `Host` and checked in the certificate when `upstream` is reached by "
        "another name or address; by default the upstream's."))] = None
    application: Annotated[str | None, Meta(description=(
        "Application whose key and credentials are used; by default the only one."))] = None
    allow: Annotated[tuple[str, ...], Meta(description=(
        "Methods and paths that pass, such as `GET,POST /personal/v5/*` or `/corporate/**`, judged on the path as the "
        "caller sends it (`GET` is not `HEAD`); empty: all."))] = ()
    allow_encoded_slash: Annotated[bool, Meta(description=(
        "Let `%2f` pass although an allow list is set, which it could slip past."))] = False
    check_roles: Annotated[bool, Meta(description=(
        "Refuse calls of payments here when the certificate has no `PSP_PI`, instead of letting the bank do it."))] = (
        False)
    strip_prefix: Annotated[bool, Meta(description="Remove `prefix` from the path before it is signed and sent.")] = (
        False)
    signature: Annotated[Literal["sign", "skip"], Meta(description=(
        "`skip` sends the sandbox's literal instead of a signature; only to the sandbox or a loopback "
        "upstream."))] = "sign"
    key_id: Annotated[str | None, Meta(description=(
        "`keyId` of the signature; `{client_id}` stands for the client id. By default the profile's."))] = None
    empty_body: Annotated[EmptyBody, Meta(description=(
        "POST, PUT and PATCH without a body: sign the `digest` of nothing, or `omit` content from the "
        "signature."))] = "digest"
    form: Annotated[FormRule, Meta(description=(
        "Form bodies: `canonical` sorts fields as the bank's digest wants them, `raw` hashes the bytes as "
        "sent."))] = "canonical"
    default_content_type: Annotated[str, Meta(description=(
        "Content-Type that is added and signed where the caller sent none."))] = "application/json"


class Destination(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of calls to other hosts than the banks when an application's HTTP_PROXY points here."""

    host: Annotated[str, Meta(description=(
        "Which hosts: a name, `*.name` for every name below it, an address, a network such as `203.0.113.0/24`, or "
        "`*` for all. The first entry that fits decides; what fits none is denied."))]
    policy: Annotated[Policy, Meta(description=(
        "`tunnel` passes bytes on, never read and never signed; `report` does the same and says each time that it "
        "would be denied."))] = "deny"
    ports: Annotated[tuple[TunnelPort, ...], Meta(description="Ports; on any other the entry does not fit.")] = (
        80, 443)
    allow_addresses: Annotated[tuple[str, ...], Meta(description=(
        "Networks that are reached although they are private, loopback or otherwise special; a cloud's metadata "
        "address only by itself, as /32 or /128."))] = ()


class EgressProxy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP proxy through which the banks are reached, by CONNECT."""

    shorthand: ClassVar[str] = "url"

    url: Annotated[str, Meta(description="`http://host:port` of the proxy, without credentials.")]
    username: Annotated[str | None, Meta(description="User name for Basic authentication.")] = None
    password_file: Annotated[str | None, Meta(description="File that holds the password.")] = None
    password_env: Annotated[str | None, Meta(description="Environment variable that holds the password.")] = None
    allow_group_read: Annotated[bool, Meta(description=(
        "Accept a password file that its group may read, as a Kubernetes `fsGroup` makes it."))] = False


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration."""

    address: Annotated[str, Meta(description=(
        "IP address of the main listener, or `unix:/path`; other than loopback only with `client_token_file`, "
        "`tls.client_ca_file` or `unsafe_listen`."))] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port of the main listener; 0 lets the system choose.")] = 8080
    socket_mode: Annotated[str, Meta(description="Mode of the main listener's Unix socket, octal.")] = "0600"
    tls: Annotated[ListenerTls | None, Meta(description="Speak TLS on the main listener.")] = None
    listeners: Annotated[dict[str, Listener], Meta(description="More listeners, by name.")] = {}
    allowed_hosts: Annotated[tuple[str, ...], Meta(description=(
        "Host names, with or without port, by which callers may also address the proxy."))] = ()
    client_token_file: Annotated[str | None, Meta(description=(
        "File with the tokens, one per line, of which callers must present one: `Proxy-Authorization: Bearer …`, or "
        "as the password of `http://any:token@host:port`."))] = None
    token_allow_group_read: Annotated[bool, Meta(description=(
        "Accept token files that their group may read, as a Kubernetes `fsGroup` makes them."))] = False
    unsafe_listen: Annotated[bool, Meta(description=(
        "Listen on any address without a token, because something else keeps strangers out."))] = False
    applications: Annotated[dict[str, Application], Meta(description="Applications registered at the bank, by name.")
                            ] = {}
    vault: Annotated[VaultSettings | None, Meta(description=(
        "Where Vault is, and how the proxy logs in there, for keys and credentials that are kept in it."))] = None
    routes: Annotated[tuple[Route, ...], Meta(description="Where requests go; at least one.")] = ()
    destinations: Annotated[tuple[Destination, ...], Meta(description=(
        "Other hosts that applications may reach through this proxy, unsigned; none by default."))] = ()
    admin: Annotated[bool, Meta(description="Serve health, metrics and status on the admin port.")] = True
    admin_address: Annotated[str, Meta(description="IP address of the admin port.")] = "127.0.0.1"
    admin_port: Annotated[Port, Meta(description="Port for health, metrics and status; 0 lets the system choose.")] = (
        9090)
    admin_token_file: Annotated[str | None, Meta(description=(
        "File with the tokens, one per line, of which callers of the admin port must present one for more than probes, "
        "metrics and status: `Authorization: Bearer …`."))] = None
    admin_token_env: Annotated[str | None, Meta(description="Environment variable that holds such a token.")] = None
    inspect: Annotated[bool, Meta(description=(
        "Keep the last calls and show them on `/inspector` of the admin port, to this machine and with a token."))] = (
        False)
    inspect_exchanges: Annotated[Count, Meta(description="How many calls the inspector keeps.")] = 200
    inspect_body_bytes: Annotated[Bytes, Meta(description=(
        "How much the inspector keeps of a body, in bytes."))] = 65536
    inspect_memory: Annotated[Bytes, Meta(description=(
        "Memory for all that the inspector keeps, in bytes; the oldest calls go first."))] = 16777216
    inspect_headers: Annotated[tuple[str, ...], Meta(description=(
        "Names of further headers whose values the inspector shows; those it does not know are masked."))] = ()
    inspect_spool_file: Annotated[str | None, Meta(description=(
        "File to which the inspector also appends each call as a line of JSON, readable by its owner alone."))] = None
    inspect_spool_bytes: Annotated[Bytes, Meta(description=(
        "Size of that file and its predecessor, `<name>.1`, together, in bytes."))] = 67108864
    upstream_ca_file: Annotated[str | None, Meta(description=(
        "PEM file of certificate authorities to trust besides the system's."))] = None
    upstream_ca_directory: Annotated[str | None, Meta(description=(
        "Directory of PEM files of certificate authorities to trust besides the system's."))] = None
    ca_directory: Annotated[str | None, Meta(description=(
        "Directory in which the certificate authority for intercepting CONNECT is made and kept; giving it switches "
        "interception on."))] = None
    ca_certificate_file: Annotated[str | None, Meta(description=(
        "PEM file of a certificate authority to intercept with instead: its certificate, then its issuers."))] = None
    ca_key_file: Annotated[str | None, Meta(description="PEM file with the key of `ca_certificate_file`.")] = None
    ca_allow_group_read: Annotated[bool, Meta(description=(
        "Accept a CA key that its group may read, as a Kubernetes `fsGroup` makes it."))] = False
    egress_proxy: Annotated[EgressProxy | None, Meta(description="HTTP proxy through which the banks are reached.")] = (
        None)
    limits: Annotated[Limits, Meta(description="Bounds in bytes or counts.")] = msgspec.field(default_factory=Limits)
    timeouts: Annotated[Timeouts, Meta(description="Deadlines in seconds.")] = msgspec.field(default_factory=Timeouts)
    breaker: Annotated[BreakerSettings, Meta(description="What becomes of calls to a bank that is down.")] = (
        msgspec.field(default_factory=BreakerSettings))
    shaping: Annotated[ShapingSettings | None, Meta(description=(
        "Keep calls under the burst limits that the bank's answers name; `{}` switches it on."))] = None
    date_correction: Annotated[DateCorrection | None, Meta(description=(
        "Sign the date of the bank's clock where this machine's is wrong; `{}` switches it on "
        "([what it does](operations.md#clocks))."))] = None
    audit: Annotated[AuditSettings | None, Meta(description=(
        "Keep a record of everything that is signed ([how](audit.md))."))] = None
    traces: Annotated[TraceSettings | None, Meta(description=(
        "Send OpenTelemetry traces to a collector ([how](operations.md#traces))."))] = None
    self_verify: Annotated[bool | None, Meta(description=(
        "Before a request is sent, parse its bytes again and check signature, digest and headers with the "
        "certificate's public key, by code that shares nothing with the signer; a mismatch is 500 and is not sent. By "
        "default only on routes to a sandbox, and with `run --with-emulator`."))] = None
    workers: Annotated[Workers, Meta(description=(
        "Processes that serve the listeners; each has the `limits` for itself and loads the keys itself "
        "([how](operations.md#workers))."))] = 1
    timed_reload: Annotated[Delay, Meta(description=(
        "Seconds between looks at the key, certificate and secret files for new content; 0: only on SIGHUP."))] = 30.0
    min_sigterm_delay: Annotated[Delay, Meta(description=(
        "Seconds for which requests are still accepted after SIGTERM."))] = 2.0
    max_sigterm_delay: Annotated[Delay, Meta(description=(
        "Seconds after SIGTERM when requests still in hand are given up."))] = 25.0
    exit_zero_on_sigterm: Annotated[bool, Meta(description="Exit with 0 instead of 143 after SIGTERM.")] = False
    quitquitquit: Annotated[bool, Meta(description=(
        "Let callers on this machine end the proxy by `POST /quitquitquit` on the admin port, as by SIGTERM but with "
        "exit code 0."))] = False
    quiet: Annotated[bool, Meta(description="Log errors only.")] = False
    debug_logs: Annotated[bool, Meta(description="Log more, still without values or secrets.")] = False
    structured_logs: Annotated[bool, Meta(description="Log lines as JSON; the same as `log_format: json`.")] = False
    log_format: Annotated[LogFormat | None, Meta(description=(
        "Log lines as `text`, as `json` with our own names, or as JSON with those of the Elastic Common Schema (`ecs`) "
        "or of OpenTelemetry (`otel`) ([names](operations.md#names-that-other-programs-know)). By default what "
        "`structured_logs` says."))] = None
    hint_header: Annotated[bool, Meta(description=(
        "Tell callers why the bank refused, in an answer header `Signing-Proxy-Hint`; the answer's head then waits for "
        "its body, up to 16 KiB."))] = False
    log_paths: Annotated[Literal["template", "full"], Meta(description=(
        "Paths in log lines: `template` hides account numbers and other ids, `full` shows everything but the "
        "query."))] = "template"

    @property
    def needs_vault(self) -> bool:
        return any(application.needs_vault for application in self.applications.values())

    @property
    def log_lines(self) -> LogFormat:
        """How the log is written."""
        return self.log_format or ("json" if self.structured_logs else "text")

    def all_listeners(self) -> dict[str, Listener]:
        """Every listener by name, the main one first, with what they take over from it."""
        main = Listener(address=self.address, port=self.port, socket_mode=self.socket_mode, tls=self.tls,
                        client_token_file=self.client_token_file)
        return {MAIN: main, **{name: msgspec.structs.replace(
            listener, client_token_file=listener.client_token_file or self.client_token_file)
            for name, listener in self.listeners.items()}}
