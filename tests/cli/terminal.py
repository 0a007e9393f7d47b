"""A person at a terminal: a program that runs on a pseudo-terminal, what it shows, and what is typed."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time

import pytest

from tests.cli.captures import clean_environment

PATIENCE = 60
"""Seconds for anything to appear; only a program that hangs uses them up."""


class Terminal:
    """`text` is everything that was shown so far, without carriage returns."""

    def __init__(self, *arguments, cwd, command=None, **environment):
        pty = pytest.importorskip("pty", reason="needs a system with pseudo-terminals")
        self._master, slave = pty.openpty()
        self.text = ""
        self._seen = 0
        # In a session of its own the program has this terminal for its own, so that it can be asked without echo.
        # Ctrl-C works in it even when the tests run in the background, where shells ignore it for all children.
        script = ("import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
                  "signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvpe(sys.argv[1], sys.argv[1:], os.environ)")
        command = command or [sys.executable, "-m", "proxy"]
        self._child = subprocess.Popen(
            [sys.executable, "-c", script, *command, *map(str, arguments)], stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, cwd=cwd, env=clean_environment(TERM="xterm", HOME=str(cwd), **environment))
        os.close(slave)

    def expect(self, words):
        """Waits until this is shown, behind what was expected before."""
        end = time.monotonic() + PATIENCE
        while (found := self.text.find(words, self._seen)) < 0:
            if not self._read(end):
                raise AssertionError(f"{words!r} is not shown: {self.text!r}")
        self._seen = found + len(words)

    def type(self, line):
        os.write(self._master, line.encode() + b"\n")

    def answer(self, question, line):
        self.expect(question)
        self.type(line)

    def end(self, signal=None):
        """Reads on until the program has ended; returns its exit code."""
        if signal is not None:
            self._child.send_signal(signal)
        end = time.monotonic() + PATIENCE
        while self._read(end):
            pass
        return self._child.wait(PATIENCE)

    def close(self):
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        os.close(self._master)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def plain(self):
        """Without colours."""
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.text)

    def _read(self, end):
        ready, _, _ = select.select([self._master], [], [], max(end - time.monotonic(), 0))
        try:
            data = os.read(self._master, 65536) if ready else b""
        except OSError:     # nobody has the other side open any more
            return False
        self.text += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)
