"""What is committed names no machine and no package registry, leaves nothing half done, and stays readable."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST = 320

# Every pattern is put together from pieces, so that this file does not match itself.
REGISTRIES = re.compile("|".join((
    '"resolved' + '": *"http',
    "index" + "-url",
    r"\b(?:registry|index|deb|files|static|proxy|repo1?)" + r"\.[a-z-]+\.(?:org|com|io)\b",
    "//py" + r"..\.org",
)))
MACHINE_PATHS = re.compile("|".join((
    r"(?:^|[^A-Za-z0-9_.-])/(?:wor" + r"k|far" + r"m)/[a-z]",
    "/ro" + r"ot/\.",
    "/opt/wh" + "eels",
)))
UNFINISHED = re.compile("|".join((
    "NotImpl" + "ementedError", r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bXX" + r"X\b", "pragma: no " + "cover",
    "assert " + r"True\b", r"pytest\.mark\." + "xfail",
)))
PRIVATE_KEY = re.compile("-----BEGIN [A-Z ]*PRIV" + "ATE KEY-----\n[A-Za-z0-9+/]")


@cache
def tracked() -> dict[str, str]:
    """Path and text of every committed text file."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a clone: it looks at what is committed")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    texts = {}
    for name in filter(None, names.split("\0")):
        try:
            texts[name] = (ROOT / name).read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):  # deleted and not committed yet; binary
            continue
    return texts


def places(pattern: re.Pattern[str], *folders: str) -> list[str]:
    return [f"{name}:{number}: {line.strip()[:100]}"
            for name, text in tracked().items() if name.startswith(folders or "")
            for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]


def test_no_package_registry_is_named():
    assert places(REGISTRIES) == []


def test_no_path_of_a_machine_is_named():
    assert places(MACHINE_PATHS) == []


def test_nothing_is_half_done():
    assert places(UNFINISHED, "proxy/", "tests/") == []


def test_no_private_key_is_committed():
    """A marker inside a program or a document is fine; a file that holds a key is not."""
    assert [name for name, text in tracked().items() if PRIVATE_KEY.search(text)] == []


def test_files_of_the_proxy_are_short():
    long = {name: count for name, text in tracked().items()
            if name.startswith("proxy/") and name.endswith(".py") and (count := len(text.splitlines())) > LONGEST}
    assert long == {}


def test_every_file_beside_the_code_is_installed_with_it():
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["proxy"]
    names = subprocess.run(["git", "ls-files", "-z", "proxy"], cwd=ROOT, check=True, capture_output=True, text=True)
    others = [Path(name).relative_to("proxy") for name in filter(None, names.stdout.split("\0"))
              if not name.endswith(".py")]
    assert len(others) > 5
    assert [str(path) for path in others if not any(path.match(pattern) for pattern in data)] == []


def test_pages_build_elements_and_never_markup():
    """Whatever is shown comes from callers and banks; the policy of the page forbids the rest."""
    pages = {name: text for name, text in tracked().items() if name.startswith("proxy/") and "/page/" in name}
    assert len(pages) > 5
    unwanted = re.compile(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|style=|"
                          r"\bon[a-z]+=|https?://(?!127\.0\.0\.1|www\.w3\.org/2000/svg)[a-z0-9]")
    assert [f"{name}: {match[0]}" for name, text in pages.items() for match in unwanted.finditer(text)] == []
    assert {name for name, text in pages.items() if name.endswith(".js") and len(text.splitlines()) > 250} == set()


@pytest.mark.parametrize(("lock", "extras"), [("requirements.lock", ()), ("requirements-dev.lock", ("dev",)),
                                              ("requirements-browser.lock", ("browser",)),
                                              ("requirements-deploy.lock", ("deploy",)),
                                              ("requirements-fuzz.lock", ("fuzz",)),
                                              ("requirements-extras.lock", ("brotli", "otel", "otel-grpc", "pkcs11"))])
def test_the_lock_holds_every_dependency_with_hashes(lock, extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(row for extra in extras for row in project["optional-dependencies"][extra])]
    text = (ROOT / lock).read_text()
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+) .*\\\n    --hash=sha256:", text, re.MULTILINE))
    names = {re.match(r"[A-Za-z0-9._-]+", row)[0].lower().replace("_", "-") for row in wanted}
    assert names <= pins.keys(), "run 'make lock'"
    assert len(re.findall(r"^\S+==", text, re.MULTILINE)) == len(pins)


@pytest.mark.parametrize("lock", ["requirements-dev.lock", "requirements-deploy.lock"])
def test_other_locks_pin_the_same_versions(lock):
    """`make test` tests what `make run` runs."""
    run, other = (dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))
                  for name in ("requirements.lock", lock))
    assert run.items() <= other.items()


def test_the_package_takes_along_all_that_is_no_module():
    """The inspector's page would be missing in an installed proxy, and only there."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["proxy"]
    taken = {path for pattern in patterns for path in (ROOT / "proxy").glob(pattern)}
    data = {ROOT / name for name in tracked() if name.startswith("proxy/") and not name.endswith(".py")}
    assert data
    assert data <= taken
