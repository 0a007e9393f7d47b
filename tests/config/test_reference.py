"""Documentation, schema and examples say what the proxy does."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import msgspec
import pytest
import yaml

from proxy.cli.run import run
from proxy.config.environment import scalar_keys
from proxy.config.load import load
from proxy.config.reference import DOCUMENT, FLAGS, SCHEMA_FILE, STRUCTS, schema, schema_text, table, with_tables
from proxy.config.routes import resolve
from tests.config.conftest import APPLICATION

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "config").glob("*.yaml"))
VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_the_committed_schema_is_current():
    jsonschema.Draft202012Validator.check_schema(schema())
    assert (ROOT / SCHEMA_FILE).read_text(encoding="utf-8") == schema_text(), "run python -m proxy.config.reference"


def test_the_committed_tables_are_current():
    document = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    assert document == with_tables(document), "run python -m proxy.config.reference"
    assert all(table(kind) in document for kind in STRUCTS)


def test_every_key_has_a_description():
    for kind in STRUCTS:
        for field in msgspec.structs.fields(kind):
            (description,) = [meta.description for meta in field.type.__metadata__ if meta.description]
            assert description.endswith("."), (kind.__name__, field.name)


def test_the_flags_in_the_table_are_those_of_the_command():
    assert {parameter.name for parameter in run.params} & set(scalar_keys()) == FLAGS


def test_there_are_the_promised_examples():
    assert [path.name for path in EXAMPLES] == [
        "http-proxy.yaml", "production.yaml", "sandbox.yaml", "several-applications.yaml"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_load_and_fit_the_schema(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    VALIDATOR.validate(yaml.safe_load(text))
    assert resolve(load(path, {}, {}))


def _yaml_in_document():
    for block in (ROOT / DOCUMENT).read_text(encoding="utf-8").split("```yaml\n")[1:]:
        yield block.partition("```")[0]


def _common_cases():
    for line in (ROOT / DOCUMENT).read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and line.count("|") == 3 and "`" in line.split("|")[2]:
            yield line.split("|")[2]


def test_yaml_in_the_document_loads(problems):
    blocks = list(_yaml_in_document())
    assert len(blocks) == 3
    for block in blocks:
        assert problems(block if "routes:" in block else APPLICATION + "routes: nordea\n" + block) == []


@pytest.mark.parametrize("case", list(_common_cases()))
def test_common_cases_in_the_document_load(problems, case):
    lines = case.split("`")[1::2]
    if "in the route" in case:
        lines = ["routes:\n- profile: nordea", *(f"  {line}" for line in lines)]
    elif not case.strip().startswith("`routes:"):
        lines.append("routes: nordea")
    text = APPLICATION + "\n".join(lines)
    assert problems(text) == []
    VALIDATOR.validate(yaml.safe_load(text))


@pytest.mark.parametrize("text", ["routes: nordae", "routes: [{profile: x}]", "routes: nordea\nport: 70000", "port: 1",
                                  "routes: nordea\nclient_token: x", "routes: [{prefix: /}]"])
def test_the_schema_refuses_what_loading_refuses(problems, text):
    document = yaml.safe_load(APPLICATION + text)
    assert problems(APPLICATION + text)
    assert not VALIDATOR.is_valid(document)
