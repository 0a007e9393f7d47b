"""What the bank's contact form asks for, as one text: nothing in it is a secret, and nothing names a person.

Endpoint, headers and bodies of request and answer, message_identification, creation_date_time and the normalised
string, in the words that the bank's FAQ uses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from proxy import __version__
from proxy.core.digest import is_form
from proxy.core.message import Field
from proxy.core.personal import impersonal_fields, impersonal_form, impersonal_json, impersonal_target, impersonal_text
from proxy.serve.inspection.kept import Body, Kept
from proxy.serve.inspection.messages import outgoing, seal
from proxy.serve.inspection.views import document

_CREATED = re.compile(rb'"creation_date_time"\s*:\s*"([0-9A-Za-z:.+-]{1,40})"')
_MASKED = """\
Secrets are masked as *** and what may name a person as <...> or *; a signature or digest over such a part cannot be
checked against this text.
"""


def bundle(call: Kept) -> str:
    facts = document(call)
    return "\n".join([
        "Open Banking support request", "============================", "", *_which(call, facts), "",
        *_normalised(call), *_request(call), *_answer(call), _MASKED])


def _which(call: Kept, facts: dict[str, object]) -> list[str]:
    exchange = call.exchange
    host = f"https://{facts['sent_host']}" if facts["sent_host"] else ""
    target = str(facts["sent_target"] or facts["asked_target"])
    key = str(facts["key_spki_sha256"])
    rows = [
        ("endpoint", f"{facts['method']} {host}{_target(target)}"),
        ("time (UTC)", facts["at"]),
        ("status", f"{exchange.status} {facts['answer_reason']}".strip()),
        ("error code", exchange.code),
        ("message_identification", exchange.bank_message_id),
        ("creation_date_time", _created(call)),
        ("X-Global-Transaction-ID", exchange.bank_id),
        ("client id", facts["key_id"]),
        ("algorithm", f"{facts['algorithm']} (RSASSA-PKCS1-v1_5 with SHA-256)" if facts["algorithm"] else ""),
        ("key", f"RSA-{facts['key_bits']}, SHA-256 of its public key {key}" if key else ""),
        *_certificate(call),
        ("our clock", f"{facts['clock_ahead_s']} s ahead of the answer's Date" if facts["clock_ahead_s"] is not None
                      else ""),
        ("made by", f"psd2-signing-proxy {__version__}"),
    ]
    return [f"{name + ':':<26}{value}" for name, value in rows if value]


def _certificate(call: Kept) -> list[tuple[str, str]]:
    facts = call.sent.certificate if call.sent is not None else None
    if facts is None:
        return []
    return [("certificate serial", facts.serial), ("certificate valid", f"{facts.not_before.date()} to "
                                                                        f"{facts.not_after.date()}"),
            ("certificate SHA-256", facts.fingerprint_sha256)]


def _normalised(call: Kept) -> list[str]:
    made = seal(call.sent)
    if not made.string:
        return ["Normalised string: none, the request was not signed", ""]
    first, *rest = made.string.split("\n")
    name, _, value = first.partition(": ")
    method, _, target = value.partition(" ")
    lines = [f"{name}: {method} {_target(target)}" if name == "(request-target)" else first, *rest]
    return ["Normalised string (lines joined by LF, none at the end)", "-" * 55, *lines, "",
            *(["Digest over the form's fields, sorted and decoded; otherwise over the body as sent.", ""]
              if made.digest_over == "form" else [])]


def _request(call: Kept) -> list[str]:
    message = outgoing(call) or call.asked
    if message is None:
        return []
    return ["Request", "-------", *_headers(message.fields), "", *_body(message.body, message.fields), ""]


def _answer(call: Kept) -> list[str]:
    answered = call.answered
    if answered is None:
        return ["Answer", "------", f"none from the bank ({call.exchange.code})", ""]
    return ["Answer", "------", *_headers(answered.fields), "", *_body(answered.body, answered.fields), ""]


def _headers(fields: Sequence[Field]) -> list[str]:
    return [_shown(name + b": " + value) for name, value in impersonal_fields(fields)]


def _body(body: Body, fields: Sequence[Field]) -> list[str]:
    if not body.size:
        return ["(no body)"]
    kind = next((value for name, _, value in fields if name == b"content-type"), b"")
    if body.unreadable:
        return [f"({body.size} bytes, not kept: {body.unreadable})"]
    if is_form(kind):
        text = impersonal_form(body.data)
    elif body.data.lstrip()[:1] in (b"{", b"["):
        text = impersonal_json(body.data)
    elif body.data.lstrip()[:1] == b"<" and b"errorResponse" in body.data:
        text = impersonal_text(body.data)
    else:
        return [f"({body.size} bytes that are neither JSON nor a form: left out)"]
    return [_shown(text), *([f"(the first {body.kept} of {body.size} bytes)"] if body.cut else [])]


def _target(target: str) -> str:
    return impersonal_target(target.encode("latin-1")).decode("latin-1")


def _created(call: Kept) -> str:
    found = _CREATED.search(call.answered.body.data) if call.answered is not None else None
    return found[1].decode() if found else ""


def _shown(text: bytes) -> str:
    """Nothing in it is a command to a terminal."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}"
                   for one in text.decode("utf-8", "replace"))
