"""What can be said of the dependencies without a network: `python -m tests.dependencies`, a part of `make check`.

    each lock       names versions and their hashes, and nothing else: no option, no address, no range
    all of them     agree on a version, and hold every dependency of pyproject.toml within its range
    .venv           holds nothing that no lock names, and nothing in another version
    docs/dependencies.md    lists each direct dependency with what it is for and the licence that it gives of itself

Whether a version has a known weakness nobody can say offline: `make audit` asks.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
DOCUMENT = "docs/dependencies.md"
LOCKED = {
    "requirements.lock": (), "requirements-dev.lock": ("dev",), "requirements-browser.lock": ("browser",),
    "requirements-deploy.lock": ("deploy",), "requirements-fuzz.lock": ("fuzz",),
    "requirements-extras.lock": ("brotli", "otel", "otel-grpc", "pkcs11"), "requirements-build.lock": (),
}
"""Lock -> the extras of pyproject.toml that it holds besides what the program itself needs."""

_OWN = "psd2-signing-proxy"
_TOOLS = {"pip"}
"""Of the virtual environment itself."""
_PIN = re.compile(r"([a-z0-9][a-z0-9.-]*)==([A-Za-z0-9.!+]+)(?: ; [^\\]+)? \\")
_HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")
_REMARK = re.compile(r"\s*#.*")
_ROW = re.compile(r"\| `([A-Za-z0-9._-]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|")


def pins(text: str) -> tuple[dict[str, str], list[str]]:
    """Name -> version, and the lines that are neither a pin, nor a hash of one, nor a remark."""
    found: dict[str, str] = {}
    odd, hashes = [], 1
    for line in text.splitlines():
        pin = _PIN.fullmatch(line)
        if pin is not None:
            if not hashes or canonicalize_name(pin[1]) in found:
                odd.append(line)
            found[canonicalize_name(pin[1])], hashes = pin[2], 0
        elif _HASH.fullmatch(line) and found:
            hashes += 1
        elif line.strip() and not _REMARK.fullmatch(line):
            odd.append(line)
    return found, odd if hashes else [*odd, "the last one has no hash"]


def wanted(project: Mapping[str, object], extras: Iterable[str]) -> list[Requirement]:
    """Of the program and these extras, where they are installed at all."""
    own: list[str] = list(project["dependencies"])                                          # type: ignore[call-overload]
    optional: Mapping[str, list[str]] = project["optional-dependencies"]                    # type: ignore[assignment]
    rows = [*own, *(row for extra in extras for row in optional[extra])]
    requirements = [Requirement(row) for row in rows]
    return [one for one in requirements if one.marker is None or one.marker.evaluate()]


def faults_of_locks(locks: Mapping[str, str], project: Mapping[str, object]) -> Iterator[str]:
    """locks: file name -> text."""
    everywhere: dict[str, tuple[str, str]] = {}
    for lock, text in locks.items():
        found, odd = pins(text)
        yield from (f"{lock}: {line.strip()!r} is no version with its hashes" for line in odd)
        for name, version in found.items():
            first = everywhere.setdefault(name, (version, lock))
            if first[0] != version:
                yield f"{lock}: {name} is {version}, and {first[0]} in {first[1]}"
        for requirement in wanted(project, LOCKED[lock]) if lock != "requirements-build.lock" else ():
            version = found.get(canonicalize_name(requirement.name), "")
            if not version or Version(version) not in requirement.specifier:
                yield f"{lock}: pyproject.toml wants {requirement}, and it has {version or 'none'}"


def faults_of_installed(installed: Mapping[str, str], locks: Mapping[str, str]) -> Iterator[str]:
    """installed: canonical name -> version."""
    known = {name: version for text in locks.values() for name, version in pins(text)[0].items()}
    for name, version in sorted(installed.items()):
        if name in _TOOLS or name == _OWN:
            continue
        if name not in known:
            yield f"{name} {version} is installed, and no lock names it"
        elif known[name] != version:
            yield f"{name} {version} is installed, and the locks say {known[name]}"


def faults_of_document(document: str, project: Mapping[str, object]) -> Iterator[str]:
    rows = {canonicalize_name(row[1]): row for row in map(_ROW.fullmatch, document.splitlines()) if row}
    optional: Mapping[str, list[str]] = project["optional-dependencies"]                    # type: ignore[assignment]
    direct = {canonicalize_name(one.name) for one in wanted(project, optional)}
    yield from (f"{DOCUMENT}: {name} is missing" for name in sorted(direct - rows.keys()))
    yield from (f"{DOCUMENT}: {name} is no direct dependency" for name in sorted(rows.keys() - direct))
    for name, row in rows.items():
        licence = licence_of(name)
        if licence and licence != row[4].strip():
            yield f"{DOCUMENT}: {name} says of itself that its licence is {licence}, and not {row[4].strip()}"


def licence_of(name: str) -> str:
    """What the installed package says; "" where it is not installed."""
    try:
        found = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    if found["License-Expression"]:
        return str(found["License-Expression"])
    rows = [row for row in found.get_all("Classifier") or () if row.startswith("License :: OSI")]
    classified = [row.rpartition(" :: ")[2] for row in rows]
    return " OR ".join(sorted(classified)) or str(found["License"] or "none given")


def installed_here() -> dict[str, str]:
    return {canonicalize_name(found.metadata["Name"]): found.version for found in metadata.distributions()}


def read_locks(root: Path = ROOT) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(root.glob("requirements*.lock"))}


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locks = read_locks()
    faults = [f"{lock} is not known to tests/dependencies.py" for lock in locks.keys() - LOCKED.keys()]
    if not faults:
        faults = [*faults_of_locks(locks, project), *faults_of_installed(installed_here(), locks),
                  *faults_of_document((ROOT / DOCUMENT).read_text(), project)]
    for fault in faults:
        print(f"dependencies: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
