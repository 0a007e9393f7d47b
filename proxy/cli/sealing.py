"""`sign` is worth something only if it walks the proxy's own path, so it does nothing but feed proxy.core."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.core.message import Request
from proxy.core.routing import METHODS, Access
from proxy.core.secret import Secret
from proxy.core.signing import Credentials, Plan, SigningRules, prepare
from proxy.core.target import origin_form, path_of
from proxy.errors import Refused
from proxy.keys.source import Signer
from proxy.wire.head import parse_request

_URL = re.compile(rb"(?i:https?)://([^/?#]*)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Address:
    """A URL or bare path from the command line.  authority: as written, "" for a bare path.  target: untouched."""

    authority: str
    target: bytes

    @property
    def host(self) -> str:
        """Lower case, without port."""
        return re.sub(r":\d*$", "", self.authority).lower()


def parse_address(url: str) -> Address:
    """The bytes of the command line; nothing is decoded or encoded.  Raises Refused("bad_target")."""
    raw = os.fsencode(url)
    match = _URL.fullmatch(raw)
    if match is None:
        return Address("", raw)
    authority, target = match.groups()
    if re.fullmatch(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._]+)(?::[0-9]{1,5})?", authority) is None:
        raise Refused("bad_target", "the URL's host is not 'name' or 'name:port'")
    return Address(authority.decode("ascii"), target if target[:1] == b"/" else b"/" + target)


@dataclass(frozen=True, slots=True)
class Sealer:
    """Who signs, and by which rules.

    signer: None where the route skips signing.  secret: of the client; a placeholder unless it is to be shown.
    origin: "https://host[:port]" to send to.  strip: prefix removed from paths.  body_limit: in bytes.
    """

    rules: SigningRules
    client_id: bytes
    secret: Secret
    signer: Signer | None
    origin: str
    access: Access
    strip: bytes = b""
    body_limit: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Sealed:
    """A signed request.  signature: raw; None where the route skips signing."""

    plan: Plan
    signature: bytes | None
    sealer: Sealer

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What goes on the wire but for Host and Content-Length, which the HTTP client writes."""
        return [*self.plan.added(self.signature or b""), *((name, value) for _, name, value in self.plan.draft.fields)]

    @property
    def url(self) -> str:
        return self.sealer.origin + self.plan.draft.target.decode("latin-1")


def seal(sealer: Sealer, method: str, target: bytes, headers: Sequence[str], body: bytes, date: str) -> Sealed:
    """The steps and refusals of the proxy's pipeline, in its order.  Raises Refused, KeyUnusable."""
    request = _request(method, target, headers, body, sealer)
    path = path_of(origin_form(request.target))
    sealer.access.check(request.method, path)
    if sealer.strip and (path == sealer.strip or path.startswith(sealer.strip + b"/")):
        rest = request.target[len(sealer.strip):]
        request.target = rest if rest[:1] == b"/" else b"/" + rest
    draft = prepare(request, sealer.rules)
    plan = draft.plan(Credentials(sealer.client_id, sealer.secret), date.encode("ascii"))
    signature = None if sealer.signer is None else sealer.signer.sign(plan.signature_base)
    return Sealed(plan, signature, sealer)


def _request(method: str, target: bytes, headers: Sequence[str], body: bytes, sealer: Sealer) -> Request:
    """The request as the proxy's own grammar reads it."""
    name = os.fsencode(method)
    if name not in METHODS:
        raise Refused("method_not_supported", "methods are written in capitals" if name.upper() in METHODS else "")
    origin_form(target)
    lines = [os.fsencode(header) for header in headers]
    if any(b"\r" in line or b"\n" in line for line in lines):
        raise Refused("malformed_request", "a header value holds a control character or a bare line break")
    if not any(line.partition(b":")[0].strip().lower() == b"host" for line in lines):
        lines.insert(0, b"Host: " + sealer.rules.authority)
    if len(body) > sealer.body_limit:
        raise Refused("body_too_large", f"the limit is {sealer.body_limit} bytes")
    request = parse_request(b"\r\n".join([b"%b %b HTTP/1.1" % (name, target), *lines, b"", b""]))
    request.body = body
    return request
