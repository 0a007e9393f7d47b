"""What llhttp and h11 make of the same bytes."""

from __future__ import annotations

from typing import NamedTuple

import h11
import httptools


class Message(NamedTuple):
    """One request or answer; first and second are method and target, or the status and nothing."""

    first: bytes
    second: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes


def by_h11(raw: bytes) -> tuple[list[Message], str]:
    """Requests, and the fault that stopped it.  A whole connection: it answers each request and never switches."""
    connection, messages = h11.Connection(h11.SERVER), []
    connection.receive_data(raw)
    try:
        while True:
            message = _next(connection, h11.Request)
            if message is None:
                return messages, ""
            request, body = message
            messages.append(Message(request.method, request.target, tuple(request.headers), body))
            if connection.their_state is h11.MUST_CLOSE or request.method == b"CONNECT":
                return messages, ""
            connection.send(h11.Response(status_code=200, headers=[(b"Content-Length", b"0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE:
                return messages, ""
            connection.start_next_cycle()
    except h11.RemoteProtocolError as fault:
        return messages, str(fault)


def answer_by_h11(raw: bytes, method: bytes, *, closed: bool) -> tuple[Message | None, str]:
    """The answer to a request with this method; None when it is not complete.  closed: an orderly end follows raw."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(raw)
    if closed:
        connection.receive_data(b"")
    try:
        message = _next(connection, h11.Response)
    except h11.RemoteProtocolError as fault:
        return None, str(fault)
    if message is None:
        return None, ""
    response, body = message
    return Message(b"%d" % response.status_code, response.reason, tuple(response.headers), body), ""


def _next(connection: h11.Connection, kind: type):
    """-> (head, body) when complete."""
    head, body = None, b""
    while True:
        event = connection.next_event()
        if event in (h11.NEED_DATA, h11.PAUSED) or type(event) is h11.ConnectionClosed:
            return (head, body) if event is h11.PAUSED and head is not None else None
        if type(event) is kind:
            head = event
        elif type(event) is h11.Data:
            body += event.data
        elif type(event) is h11.EndOfMessage:
            return head, body


class _Llhttp:
    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.messages: list[Message] = []

    def on_message_begin(self) -> None:
        self.url, self.fields, self.body = b"", [], b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.messages.append(Message(self.parser.get_method(), self.url, tuple(self.fields), self.body))


def by_llhttp(raw: bytes) -> tuple[list[Message], str]:
    """Requests, and the name of the fault that stopped it."""
    judge = _Llhttp()
    try:
        judge.parser.feed_data(raw)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade) as fault:
        return judge.messages, type(fault).__name__
    return judge.messages, ""
