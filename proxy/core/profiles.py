"""What each bank demands of a request, as data.  Adding a bank adds a value here and touches no logic."""

from __future__ import annotations

import msgspec


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One bank's rules.

    host: default upstream host.  scheme: name of a signature scheme in proxy/core/schemes.py.
    covered, covered_with_content: covered components in signing order.  content_methods: covered content even when the
    body is empty.  injected: (header, credential) pairs.  host_header, date_header: generated.
    reserved_prefixes: lower-case prefixes of names callers may never set.
    skip_hosts: hosts at which the literal skip_signature stands in for a signature.
    key_spki_sha256: the only key the bank accepts, or "".  payment_segments: lower-case path segments by which calls
    that initiate payments are known.
    """

    name: str
    title: str
    host: str
    scheme: str = "cavage"
    algorithm: str = "rsa-sha256"
    key_id: str = "{client_id}"
    covered: tuple[bytes, ...]
    covered_with_content: tuple[bytes, ...]
    content_methods: frozenset[bytes]
    bodiless_methods: frozenset[bytes]
    digest_prefix: bytes = b"SHA-256="
    injected: tuple[tuple[bytes, str], ...]
    host_header: bytes
    date_header: bytes
    reserved_prefixes: tuple[bytes, ...] = ()
    skip_signature: bytes = b""
    skip_hosts: frozenset[str] = frozenset()
    key_spki_sha256: str = ""
    payment_segments: frozenset[bytes] = frozenset()

    @property
    def reserved(self) -> frozenset[bytes]:
        """Lower-case names of every header this profile writes."""
        return frozenset((b"signature", b"digest", self.host_header.lower(), self.date_header.lower(),
                          *(name.lower() for name, _ in self.injected)))


_ALWAYS = (b"(request-target)", b"x-nordea-originating-host", b"x-nordea-originating-date")

NORDEA = Profile(
    name="nordea",
    title="Nordea production",
    host="open.nordea.com",
    covered=_ALWAYS,
    covered_with_content=(*_ALWAYS, b"content-type", b"digest"),
    content_methods=frozenset((b"POST", b"PUT", b"PATCH")),
    bodiless_methods=frozenset((b"GET", b"HEAD")),
    injected=((b"X-IBM-Client-Id", "client_id"), (b"X-IBM-Client-Secret", "client_secret")),
    host_header=b"X-Nordea-Originating-Host",
    date_header=b"X-Nordea-Originating-Date",
    reserved_prefixes=(b"x-ibm-client-",),
    payment_segments=frozenset((b"payments", b"signing-baskets")),
)

NORDEA_SANDBOX = msgspec.structs.replace(
    NORDEA,
    name="nordea-sandbox",
    title="Nordea sandbox",
    host="api.nordeaopenbanking.com",
    skip_signature=b"SKIP_SIGNATURE_VALIDATION_FOR_SANDBOX",
    skip_hosts=frozenset(("api.nordeaopenbanking.com",)),
    key_spki_sha256="747328e27be81cd5c751023d35903abf3d52dbed291e76ac7e0b25b88f243375",
)

PROFILES = {profile.name: profile for profile in (NORDEA, NORDEA_SANDBOX)}
