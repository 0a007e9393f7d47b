"""README.md shows what the program does: its lines are the program's lines, and its configuration loads."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from proxy.cli.companion import Bank, describe
from proxy.cli.program import program
from proxy.config.load import load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", *DOCUMENTS)


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def curls(text: str) -> list[str]:
    """Every curl command, joined to one line and without what stands beside it."""
    joined = text.replace("\\\n", " ")
    return [" ".join(found.split()) for found in re.findall(r"^\s*(curl .*http://\S+)", joined, re.MULTILINE)]


def test_the_curl_lines_are_those_that_make_run_prints():
    listeners = [("main", "127.0.0.1", 8080), ("admin", "127.0.0.1", 9090)]
    printed = describe(Bank("https://127.0.0.1:9443", "http://127.0.0.1:9444", Path("proxy.yaml")), listeners,
                       "http://127.0.0.1:9090/inspector#token=t")
    assert len(curls(printed)) == 4
    assert curls("".join(fences("sh")[1])) == curls(printed)


def test_the_configuration_loads(tmp_path):
    (text,) = fences("yaml")
    assert len(text.splitlines()) <= 15
    path = tmp_path / "my.yaml"
    path.write_text(text)
    config = load(path, {}, {})
    assert (config.port, config.admin_port) == (8080, 9090)
    assert config.applications["payments"].key_file == str(tmp_path / "secrets/qseal.key")


def test_every_command_is_named():
    named = re.findall(r"^\| `signing-proxy ([a-z]+)` \|", README, re.MULTILINE)
    assert set(named) == set(program.list_commands(click.Context(program)))


def test_every_target_of_make_is_named():
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)) - {"help"}
    (line,) = re.findall(r"`make` lists the targets: (.*)\.", README)
    assert set(re.findall(r"`([a-z-]+)`", line)) == targets


def test_every_document_is_found_from_here():
    assert [page for page in DOCUMENTS if f"]({page}" not in README] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []
