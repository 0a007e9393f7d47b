"""Whoever waits for a module has a deadline and little company; a module that hangs takes nobody else along."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from proxy.errors import KeyUnusable
from proxy.keys.pkcs11.thread import ModuleThread, thread_of


class Hang:
    """Work that a module does not come back from until it is let go."""

    def __init__(self) -> None:
        self.begun, self._gate = threading.Event(), threading.Event()

    def __call__(self, tokens: object) -> str:
        self.begun.set()
        assert self._gate.wait(30)
        return "done"

    def end(self) -> None:
        self._gate.set()


class Fake:
    """closed_in: the thread that let the tokens go."""

    closed_in = ""

    def close(self) -> None:
        self.closed_in = threading.current_thread().name


@pytest.fixture
def tokens() -> Fake:
    return Fake()


@pytest.fixture
def hang() -> Iterator[Hang]:
    hang = Hang()
    yield hang
    hang.end()


@pytest.fixture
def make(tokens) -> Iterator[Callable[..., ModuleThread]]:
    made = []

    def making(**options) -> ModuleThread:
        made.append(ModuleThread("/m.so", lambda path: tokens, **options))
        return made[-1]

    yield making
    for thread in made:
        thread.close()


def refused(thread: ModuleThread, work=lambda tokens: None, deadline: float = 30) -> KeyUnusable:
    with pytest.raises(KeyUnusable) as raised:
        thread.run(work, deadline=deadline, code="signing_failed")
    assert raised.value.code == "signing_failed"
    return raised.value


def name(tokens: object) -> int:
    return threading.get_ident()


def test_all_work_is_done_by_one_thread(make) -> None:
    thread = make()
    with ThreadPoolExecutor(16) as pool:
        done = set(pool.map(lambda _: thread.run(name, deadline=30, code="x"), range(200)))
    assert len(done) == 1
    assert threading.get_ident() not in done


def test_a_deadline_ends_the_wait_and_later_calls_do_not_wait_at_all(make, hang) -> None:
    thread = make()
    assert "did not answer within" in str(refused(thread, hang, deadline=0.05))
    assert "has not come back" in str(refused(thread, deadline=30))
    overdue = thread._overdue
    hang.end()
    assert overdue.result(30) == "done"
    assert thread.run(name, deadline=30, code="x")


def test_what_nobody_waits_for_is_not_begun(make, hang) -> None:
    thread, begun = make(), []
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(thread.run, hang, deadline=30, code="x")
        assert hang.begun.wait(30)
        refused(thread, begun.append, deadline=0.05)
        hang.end()
        assert first.result(30) == "done"
    thread.run(name, deadline=30, code="x")
    assert begun == []


def test_only_so_many_may_wait(make, hang) -> None:
    thread = make(waiting=2)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(thread.run, hang, deadline=30, code="x")
        assert hang.begun.wait(30)
        for _ in range(2):
            thread._jobs.put_nowait((_given_up(), name))
        assert "too many requests wait" in str(refused(thread))
        hang.end()
        assert first.result(30) == "done"


def _given_up() -> Future[object]:
    job: Future[object] = Future()
    job.cancel()
    return job


def test_a_failure_reaches_who_asked_and_the_thread_lives_on(make) -> None:
    thread = make()

    def fail(tokens: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        thread.run(fail, deadline=30, code="x")
    thread.run(name, deadline=30, code="x")


def test_a_module_that_did_not_load_is_tried_again(tokens) -> None:
    found = [KeyUnusable("pkcs11_module"), tokens]

    def load(path: str):
        made = found.pop(0)
        if isinstance(made, Exception):
            raise made
        return made

    thread = ModuleThread("/m.so", load)
    with pytest.raises(KeyUnusable):
        thread.run(name, deadline=30, code="x")
    thread.run(name, deadline=30, code="x")
    thread.close()


def test_closing_logs_out_in_the_thread_and_may_be_repeated(make, tokens) -> None:
    thread = make()
    thread.close()
    thread.run(name, deadline=30, code="x")
    thread.close()
    thread.close()
    assert tokens.closed_in == "pkcs11"
    assert thread.run(name, deadline=30, code="x")


def test_a_module_has_one_thread_by_whatever_path(tmp_path) -> None:
    (tmp_path / "m.so").touch()
    (tmp_path / "link.so").symlink_to(tmp_path / "m.so")
    assert thread_of(str(tmp_path / "m.so")) is thread_of(str(tmp_path / "link.so"))
    assert thread_of(str(tmp_path / "m.so")) is not thread_of(str(tmp_path / "other.so"))
