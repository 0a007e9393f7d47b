"""What every peer has in common: it is launched from a folder of its own, listens on a port, and may sign."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..conversation import answers
from ..material import Application, Material
from ..processes import Child, Cpus, free_port

REPOSITORY = Path(__file__).resolve().parents[3]
TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
UPSTREAM_HOST = "localhost"
SOURCE_HOST = "127.0.0.2"
"""Not the upstream's address: that one is a bank's, and never just passed on."""


class NotMeasured(Exception):
    """One sentence that says what could not be measured."""


@dataclass(frozen=True, slots=True)
class World:
    """Where a run takes place."""

    root: Path
    cpus: Cpus
    material: Material
    upstream_port: int


@dataclass(frozen=True, slots=True)
class Launch:
    argv: tuple[str | Path, ...]
    env: dict[str, str] = field(default_factory=dict)
    admin_port: int | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """missing: what has to be installed, one sentence, or "" when it can run."""

    name: str
    signs: bool
    missing: Callable[[], str]
    launch: Callable[[World, Application, Path, int], Launch]


@dataclass(frozen=True, slots=True)
class Instance:
    """A running peer with the key it signs with."""

    peer: Peer
    application: Application
    port: int
    child: Child
    admin_port: int | None

    @property
    def name(self) -> str:
        return self.peer.name


def start(world: World, peer: Peer, application: Application, *, wait: bool = True,
          profile: Path | None = None) -> Instance:
    """profile: where a Python peer started under cProfile leaves its figures."""
    port = free_port()
    folder = world.root / f"{peer.name.replace(' ', '-')}-{application.bits}-{port}"
    folder.mkdir()
    launch = peer.launch(world, application, folder, port)
    python, *rest = launch.argv
    argv = (python, "-m", "cProfile", "-o", profile, *rest) if profile else launch.argv
    child = Child(argv, world.cpus.proxy, folder / "output.log", folder, launch.env)
    instance = Instance(peer, application, port, child, launch.admin_port)
    if wait:
        wait_for_port(instance)
    return instance


def wait_for_port(instance: Instance, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not answers(instance.port):
        if not instance.child.running:
            raise NotMeasured(f"{instance.name} ended at once: {instance.child.last_words()}")
        if time.monotonic() > deadline:
            instance.child.stop()
            raise NotMeasured(f"{instance.name} did not listen within {seconds:.0f} s: {instance.child.last_words()}")
        time.sleep(0.01)


def fill(template: str, target: Path, **values: object) -> Path:
    """Writes templates/<template> to target with every @NAME@ replaced."""
    text = (TEMPLATES / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name.upper()}@", str(value))
    target.write_text(text)
    return target
