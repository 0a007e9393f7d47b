"""As a systemd service: sockets that were open before the proxy and stay open after it, and the service's own word."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest

from proxy.app import systemd
from proxy.app.systemd import Notify, PassedSockets, SocketUnfit
from proxy.config.model import Listener
from tests.e2e.child import Child
from tests.e2e.line import DEADLINE, Line, connected, eventually, get, post, within
from tests.e2e.standing import configuration

# What systemd does between fork and exec: the sockets become 3, 4, …, and LISTEN_PID is the child's own.  prctl is
# NoNewPrivileges= and, with Linux 6.3 or newer, MemoryDenyWriteExecute=.
_ACCEPTS = 0x10000
"""The flag of a listening socket in /proc/net/unix (__SO_ACCEPTCON)."""
PASSING = """
import ctypes, fcntl, os, sys
wanted = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in sys.argv[1].split(",")]
for place, number in enumerate(wanted, 3):
    os.dup2(number, place)
    os.close(number)
os.environ["LISTEN_PID"] = str(os.getpid())
for option in (38, 65):
    ctypes.CDLL(None).prctl(option, 1, 0, 0, 0)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Manager:
    """Has the sockets, and hears what the service says of itself."""

    def __init__(self, directory: Path) -> None:
        self.main = socket.create_server(("127.0.0.1", 0))
        self.admin = socket.create_server(("127.0.0.1", 0))
        self.local = socket.socket(socket.AF_UNIX)
        self.path = directory / "proxy.sock"
        self.local.bind(str(self.path))
        self.path.chmod(0o660)
        self.local.listen()
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.settimeout(DEADLINE)
        self.notify.bind(str(directory / "notify"))
        self.sockets = (self.main, self.admin, self.local)
        self.settings = {"port": self.port, "admin_port": self.admin.getsockname()[1],
                         "listeners": {"local": Listener(address=f"unix:{self.path}", socket_mode="0660")}}

    @property
    def port(self) -> int:
        return self.main.getsockname()[1]

    def child(self, config, path: Path) -> Child:
        numbers = [sock.fileno() for sock in self.sockets]
        return Child(config, path, through=(sys.executable, "-c", PASSING, ",".join(map(str, numbers))),
                     pass_fds=numbers, variables={
                         "LISTEN_FDS": str(len(numbers)), "LISTEN_FDNAMES": "main:admin:local",
                         "NOTIFY_SOCKET": self.notify.getsockname(), "WATCHDOG_USEC": "500000"})

    async def told(self, *beginnings: str) -> dict[str, str]:
        """The next message that begins with one of these, as its assignments."""
        while True:
            text = (await asyncio.to_thread(self.notify.recv, 4096)).decode()
            if text.startswith(beginnings):
                return dict(line.split("=", 1) for line in text.splitlines())

    def close(self) -> None:
        for sock in (*self.sockets, self.notify):
            sock.close()


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path)
    yield manager
    manager.close()


@pytest.mark.parametrize(("workers", "last_words"), [(1, "Finishing 0 requests"), (2, "Finishing requests")])
async def test_a_service_from_its_first_caller_to_its_end(bank, files, manager, tmp_path, workers, last_words):
    """The first caller is there before the proxy, and one comes after it: neither is refused by the kernel."""
    config = configuration(bank, files, **manager.settings, routes=two_routes(bank), workers=workers)
    async with connected(manager.port) as early:
        await early.send(post("/echo/early"))
        async with manager.child(config, tmp_path / "config.json") as child:
            ready = await manager.told("READY=1")
            assert ready["MAINPID"] == str(child.process.pid)
            assert f"main 127.0.0.1:{manager.port}" in ready["STATUS"]
            assert (await early.answer()).status == 200
            assert child.listeners == {"main": manager.port, "admin": config.admin_port, "local": 0}

            reader, writer = await asyncio.open_unix_connection(manager.path)
            assert (await Line(reader, writer).ask(get("/local/echo", host="bank"))).status == 200
            writer.close()
            async with connected(config.admin_port) as probe:
                assert (await probe.ask(get("/readyz"))).status == 200

            child.signal(signal.SIGHUP)
            assert int((await manager.told("RELOADING=1"))["MONOTONIC_USEC"]) > 0
            await manager.told("READY=1")
            await manager.told("WATCHDOG=1")
            child.signal(signal.SIGTERM)
            assert (await manager.told("STOPPING=1"))["STATUS"] == last_words
            assert await child.ended() == 143
    assert bank.received.total == 2
    assert manager.path.exists()
    async with connected(manager.port):     # waits for the next start
        pass


def two_routes(bank):
    from proxy.config.model import Route
    from tests.e2e.standing import BANK_NAME

    bank_url = f"https://127.0.0.1:{bank.port}"
    return (Route(profile="nordea", upstream=bank_url, host=BANK_NAME),
            Route(name="local", profile="nordea", upstream=bank_url, host=BANK_NAME, prefix="/local", strip_prefix=True,
                  listener="local"))


@pytest.fixture
def passed(monkeypatch):
    """passed(sock, **changes of the environment): as if systemd had started this process with that one socket."""
    def make(sock, **changes):
        monkeypatch.setattr(systemd, "_FIRST", os.dup(sock.fileno()))
        sock.close()
        return PassedSockets({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "main", **changes})

    return make


def test_a_socket_that_is_open_to_others_is_not_taken_for_one_on_loopback(passed):
    sockets = passed(socket.create_server(("0.0.0.0", 0)))
    with pytest.raises(SocketUnfit, match=r"the one named main is 0\.0\.0\.0:0, and .* says 127\.0\.0\.1:0"):
        sockets.take("main", Listener(port=0))


def test_another_port_is_another_socket(passed):
    sockets = passed(socket.create_server(("127.0.0.1", 0)))
    with pytest.raises(SocketUnfit, match=r"says 127\.0\.0\.1:8080"):
        sockets.take("main", Listener(port=8080, address="localhost"))


def test_a_socket_file_that_lets_more_people_in_is_not_taken(passed, tmp_path):
    path = tmp_path / "open.sock"
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    path.chmod(0o666)       # systemd's own default
    sock.listen()
    with pytest.raises(SocketUnfit, match=r"with mode 0666, .* with mode 0600"):
        passed(sock).take("main", Listener(address=f"unix:{path}"))


def test_a_socket_that_no_path_guards(passed):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind("\0signing-proxy-test")
    sock.listen()
    with pytest.raises(SocketUnfit, match="a Unix socket without a path"):
        passed(sock).take("main", Listener(address="unix:/run/signing-proxy.sock"))


@pytest.mark.parametrize(("kind", "sentence"), [("listens not", "write ListenStream= and Accept=no"),
                                                ("datagrams", "write ListenStream= and Accept=no")])
def test_what_cannot_be_accepted_on(passed, kind, sentence):
    with pytest.raises(SocketUnfit, match=sentence):
        passed(socket.socket(type=socket.SOCK_STREAM if kind == "listens not" else socket.SOCK_DGRAM))


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"LISTEN_FDS": "many"}, "LISTEN_FDS is not a small number"),
    ({"LISTEN_FDNAMES": "main:admin"}, "a name of its own"),
    ({"LISTEN_FDNAMES": "main:main", "LISTEN_FDS": "2"}, "a name of its own"),
])
def test_variables_that_do_not_fit(changes, sentence):
    with pytest.raises(SocketUnfit, match=sentence):
        PassedSockets({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", **changes})


def test_a_socket_for_no_listener_is_said(passed):
    sockets = passed(socket.create_server(("127.0.0.1", 0)), LISTEN_FDNAMES="mian")
    with pytest.raises(SocketUnfit, match=r"'mian': .* is none of main, admin"):
        sockets.require_none_left(["main", "admin"])
    sockets.close()


def test_a_single_socket_without_a_name_is_the_main_ones(passed):
    sockets = passed(socket.create_server(("127.0.0.1", 0)), LISTEN_FDNAMES="")
    with sockets.take("main", Listener(port=0)) as sock:
        assert not sock.get_inheritable()
    sockets.require_none_left([])


def test_what_is_meant_for_another_process_is_left_alone():
    sockets = PassedSockets({"LISTEN_PID": "1", "LISTEN_FDS": "1"})
    assert sockets.take("main", Listener(port=0)) is None


def test_a_manager_that_has_gone_stops_nobody(tmp_path, caplog):
    notify = Notify({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    notify.ready("main 127.0.0.1:8080")
    notify.close()
    assert re.search(r"systemd was not told READY \(FileNotFoundError\)", caplog.text)


def test_the_watchdog_of_another_process_is_not_fed(tmp_path):
    """Abstract addresses begin with @ in the variable."""
    name = f"@signing-proxy-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:])
        manager.setblocking(False)
        notify = Notify({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"})
        notify.alive(1.0)
        notify.stopping(3)
        notify.close()
        assert manager.recv(100).startswith(b"STOPPING=1\nSTATUS=Finishing 3")


def _listens(path: Path) -> bool:
    """A socket's file is there before somebody listens.  Asked of the kernel: a try would be a caller already."""
    flags = next((line.split()[3] for line in Path("/proc/net/unix").read_text().splitlines()
                  if line.endswith(f" {path}")), "0")
    return bool(int(flags, 16) & _ACCEPTS)


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None,
                    reason="systemd's own activator is missing (Debian: apt-get install systemd)")
async def test_with_systemds_own_activator(bank, files, tmp_path):
    """It listens, and starts the proxy when the first caller comes."""
    path = tmp_path / "activated.sock"
    config = configuration(bank, files, address=f"unix:{path}", admin=False)
    (tmp_path / "config.json").touch()
    activator = Child(config, tmp_path / "config.json", variables={"SYSTEMD_LOG_LEVEL": "err"}, through=(
        "systemd-socket-activate", f"--listen={path}", "--fdname=main",
        *(f"--setenv={name}" for name in ("PYTHONPATH", "PATH"))))

    async def call():
        await eventually(path.exists)
        path.chmod(0o600)
        await eventually(lambda: _listens(path))
        reader, writer = await asyncio.open_unix_connection(path)
        answer = await Line(reader, writer).ask(get("/echo"))
        writer.close()
        return answer

    async with asyncio.TaskGroup() as group:
        answered = group.create_task(call())
        async with activator:
            assert (await within(answered)).status == 200
            activator.signal(signal.SIGTERM)
            assert await activator.ended() == 143
    assert path.exists()
