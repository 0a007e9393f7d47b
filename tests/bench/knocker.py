"""A program: opens one TLS connection after another, through CONNECT or straight, and closes each in order."""

from __future__ import annotations

import json
import ssl
import sys
import time

from . import dialling
from .programs import serve

_TICKET_SECONDS = 0.5


class Knocker:
    """connect: host:port of a tunnel, "" for none.  resume: with a ticket of an earlier one, else never."""

    def __init__(self, port: int, connect: str, name: str, ca_file: str, *, resume: bool) -> None:
        self._port, self._connect, self._name = port, connect, name
        self._context = dialling.trusting(ca_file)
        self._ticket: ssl.SSLSession | None = None
        if resume:
            self._ticket = self._first_ticket()

    def work(self, seconds: float) -> dict[str, float]:
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            for _ in range(20):
                self._knock()
            count += 20
        return {"count": count, "seconds": time.perf_counter() - began}

    def _knock(self) -> None:
        line = self._open()
        if line.session_reused != (self._ticket is not None):
            raise ValueError("resumed where it should not have been, or the other way round")
        self._say_goodbye(line)

    @staticmethod
    def _say_goodbye(line: ssl.SSLSocket) -> None:
        """close_notify, then waits for the end; not everybody answers with one."""
        try:
            line.unwrap().close()
        except ssl.SSLEOFError:
            line.close()

    def _open(self) -> ssl.SSLSocket:
        return self._context.wrap_socket(dialling.plain(self._port, self._connect), server_hostname=self._name,
                                         session=self._ticket)

    def _first_ticket(self) -> ssl.SSLSession:
        """It comes behind the handshake, and is taken in by a read of what never comes."""
        with self._open() as line:
            line.settimeout(_TICKET_SECONDS)
            try:
                line.recv(1)
            except TimeoutError:
                pass
            if line.session is None or not line.session.has_ticket:
                raise ValueError("no ticket was given")
            return line.session


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    serve(Knocker(settings["port"], settings["connect"], settings["name"], settings["ca_file"],
                  resume=settings["resume"]).work)
