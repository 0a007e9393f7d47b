"""Signature schemes: covered components -> signature base -> Signature header.

cavage is draft-cavage-http-signatures-10 as the bank restricts it: one line per component, "name: value", lower-case
names and method, joined by LF without a trailing one (section 2.3); four parameters in a fixed order, no white space
(section 2.1).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence

REQUEST_TARGET = b"(request-target)"


def request_target(method: bytes, target: bytes) -> bytes:
    """Value of (request-target), draft section 2.3, step 1."""
    return method.lower() + b" " + target


def signature_base(covered: Sequence[bytes], values: Mapping[bytes, bytes]) -> bytes:
    """values: one per covered component."""
    return b"\n".join([name + b": " + values[name] for name in covered])


def signature_header(key_id: bytes, algorithm: bytes, covered: Sequence[bytes], signature: bytes) -> bytes:
    """signature: raw bytes of the RSA operation."""
    return b'keyId="%b",algorithm="%b",headers="%b",signature="%b"' % (
        key_id, algorithm, b" ".join(covered), b64encode(signature))
