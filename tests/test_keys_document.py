"""docs/keys.md: every source has a configuration there, and it loads."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from proxy.app import compose
from proxy.config.load import load
from proxy.config.reference import schema

TEXT = (Path(__file__).parent.parent / "docs" / "keys.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize(("source", "described"), [
    ("Files", "file "), ("Vault KV", "vault kv secret/qseal"), ("Vault Transit", "vault transit transit/qseal")])
def test_the_configuration_loads_and_names_its_source(tmp_path, source, described):
    (tmp_path / "proxy.yaml").write_text(EXAMPLES[source])
    config = load(tmp_path / "proxy.yaml", {}, {})
    jsonschema.Draft202012Validator(schema()).validate(yaml.safe_load(EXAMPLES[source]))
    rings = compose.keyrings(config, {})
    assert rings["payments"].rings()[0].describe().startswith(described)
    if rings.vault is not None:
        rings.vault.close()
