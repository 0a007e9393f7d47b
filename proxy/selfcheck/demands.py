"""What a bank demands of a request is data, so that the checks know rules and no bank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Demands:
    """Names of headers are lower case.

    covered, covered_with_content: covered components in signing order.  content_methods: cover content also without a
    body, unless omit_empty.  identity: headers that carry who we are; the first one's value is {client_id} of key_id.
    canonical_forms: the digest of a form body is over its normalised form.
    host: value of host_header; authority: of Host, which without it must name the same host, whatever its port.
    literal: what stands in for a signature that is skipped, or b"".
    """

    covered: tuple[bytes, ...]
    covered_with_content: tuple[bytes, ...]
    content_methods: frozenset[bytes]
    identity: tuple[bytes, ...]
    host_header: bytes
    date_header: bytes
    key_id: bytes = b"{client_id}"
    algorithm: bytes = b"rsa-sha256"
    digest_prefix: bytes = b"SHA-256="
    canonical_forms: bool = True
    omit_empty: bool = False
    host: bytes = b""
    authority: bytes = b""
    literal: bytes = b""


_BARE: Final = (b"(request-target)", b"x-nordea-originating-host", b"x-nordea-originating-date")

NORDEA: Final = Demands(
    covered=_BARE,
    covered_with_content=(*_BARE, b"content-type", b"digest"),
    content_methods=frozenset((b"POST", b"PUT", b"PATCH")),
    identity=(b"x-ibm-client-id", b"x-ibm-client-secret"),
    host_header=b"x-nordea-originating-host",
    date_header=b"x-nordea-originating-date",
)
"""As the bank's own pages say it, for whoever has no route at hand."""
