"""The message that went to the bank, put together again from what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from proxy.core.message import Field
from proxy.core.secret import Secret
from proxy.core.signing import Credentials, Draft, Plan
from proxy.serve.inspection.kept import Body, Kept, Sent


@dataclass(frozen=True, slots=True)
class Outgoing:
    """fields: in wire order; the first `added` of them and a last Content-Length are the proxy's own."""

    host: str
    target: str
    fields: list[Field]
    added: int
    body: Body
    scheme: str = "https"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{self.target}"


class Seal(NamedTuple):
    """How it was signed.  digest_over: "body", "form" or "" for no digest."""

    string: str = ""
    masked: bool = False
    covered: tuple[str, ...] = ()
    algorithm: str = ""
    key_id: str = ""
    digest: str = ""
    digest_over: str = ""
    digest_input: str = ""


def outgoing(call: Kept) -> Outgoing | None:
    """The same fields in the same order as Plan.complete() has written them; secrets are masks."""
    asked, sent = call.asked, call.sent
    if asked is None or sent is None:
        return None
    draft = Draft(sent.rules, asked.method, sent.target, list(asked.passed or ()))
    draft.content_type, draft.added, draft.digest, draft.covered = (
        sent.content_type, sent.added, sent.digest, sent.covered)
    plan = Plan(draft, Credentials(sent.client_id, Secret(sent.secret)), sent.date)
    host = sent.rules.authority
    own = [(b"host", b"Host", host), *((name.lower(), name, value) for name, value in plan.added(sent.signature))]
    fields = [*own, *draft.fields]
    if sent.framed:
        fields.append((b"content-length", b"Content-Length", b"%d" % sent.body.size))
    return Outgoing(text(host), text(sent.target), fields, len(own), sent.body)


def seal(sent: Sent | None) -> Seal:
    if sent is None:
        return Seal()
    rules = sent.rules
    over = "" if sent.digest is None else "body" if sent.digest_input is None else "form"
    return Seal(
        text(sent.string), sent.masked, tuple(text(name) for name in sent.covered),
        "" if rules.skip else rules.profile.algorithm,
        "" if rules.skip else rules.key_id.replace("{client_id}", text(sent.client_id)),
        text(sent.digest or b""), over, text(sent.digest_input or b""))


def text(data: bytes) -> str:
    """One character a byte, as header text is read."""
    return data.decode("latin-1")
