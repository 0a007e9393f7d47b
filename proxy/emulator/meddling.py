"""Between a caller and the bank stand machines that nobody remembers; what they change, the bank judges as it came.

The same for the way back: answers that are compressed whether or not anybody asked for it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote

from proxy.emulator.answers import Answer
from proxy.emulator.wire import Body, Head


def meddled(kind: str, head: Head, body: Body) -> tuple[Head, Body]:
    """The request as the bank's verifier gets it when something has changed it on the way."""
    change = _REQUESTS.get(kind)
    return change(head, body) if change else (head, body)


def compressed(kind: str, answer: Answer) -> Answer:
    """The answer with a content coding, when the fault asks for one."""
    coding = _CODINGS.get(kind)
    if coding is None or not answer.length:
        return answer
    body = coding(b"".join(answer.pieces))
    field = (b"Content-Encoding", b"gzip" if kind == "gzip" else b"deflate")
    return replace(answer, pieces=(body,), length=len(body), fields=(*answer.fields, field))


def _bare_content_type(head: Head, body: Body) -> tuple[Head, Body]:
    fields = tuple((name, value.partition(";")[0].strip() if name.lower() == "content-type" else value)
                   for name, value in head.fields)
    return replace(head, fields=fields), body


def _other_body(head: Head, body: Body) -> tuple[Head, Body]:
    """As a gateway does that reads JSON and writes it again."""
    return head, replace(body, content=body.content + b"\n")


def _decoded_target(head: Head, body: Body) -> tuple[Head, Body]:
    return replace(head, target=unquote(head.target, "latin-1")), body


def _raw_deflate(data: bytes) -> bytes:
    """Without the zlib format's frame, as some servers send it against RFC 9110 section 8.4.1.2."""
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(data) + squeeze.flush()


_REQUESTS: dict[str, Callable[[Head, Body], tuple[Head, Body]]] = {
    "content_type_stripped": _bare_content_type, "body_rewritten": _other_body, "target_decoded": _decoded_target}
_CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "deflate": zlib.compress, "raw_deflate": _raw_deflate}
