"""Whatever a file, a variable or a flag holds, the answer is a Config that can be run or a list of problems."""

from __future__ import annotations

import json

import msgspec
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.config.environment import scalar_keys, variable
from proxy.config.load import load
from proxy.config.model import Application, Config, EgressProxy, Listener, Route
from proxy.config.routes import resolve
from proxy.errors import ConfigInvalid
from tests.config.conftest import APPLICATION

KEYS = sorted({field.name for kind in (Config, Application, Route, Listener, EgressProxy)
               for field in msgspec.structs.fields(kind)} | {"body", "read", "acme", "main", "client_secret"})
NAMES = [field.name for field in msgspec.structs.fields(Config)]
TEXTS = ["nordea", "nordea-sandbox", "skip", "/a", "/", "https://127.0.0.1:9443/x", "http://p:1", "GET /**", "acme",
         "127.0.0.1", "::", "a.b", "[::1]:1", "https://[", "2001-01-01", "\ud800", "\0", "1" * 5000, "%", "//", "{x}"]
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(TEXTS), st.text(max_size=20))
VALUES = st.recursive(SCALARS, lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=8)), inner,
                                                 max_size=6)), max_leaves=20)
ROUTES = st.lists(st.dictionaries(st.sampled_from([f.name for f in msgspec.structs.fields(Route)]), SCALARS,
                                  max_size=8), max_size=4)
FIXTURE_HOLDS_NO_STATE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def outcome(path, environ, flags):
    try:
        config = load(path, environ, flags)
    except ConfigInvalid as error:
        problems = error.problems
    else:
        works(config)
        return
    assert problems
    for place, sentence in problems:
        assert place.isprintable()
        assert sentence.isprintable()
        assert sentence.endswith((".", "?"))


def works(config):
    assert resolve(config)
    assert all(application.credentials for application in config.applications.values())


@FIXTURE_HOLDS_NO_STATE
@given(st.one_of(VALUES, st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8),
                 st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, SCALARS))))
def test_any_structure(tmp_path, value):
    file = tmp_path / "proxy.yaml"
    file.write_bytes(yaml.safe_dump(value, allow_unicode=False).encode("utf-8", "replace"))
    outcome(file, {}, {})


@FIXTURE_HOLDS_NO_STATE
@given(ROUTES)
def test_any_routes(tmp_path, routes):
    file = tmp_path / "proxy.yaml"
    file.write_text(APPLICATION + "routes: " + json.dumps(routes))
    outcome(file, {}, {})


@FIXTURE_HOLDS_NO_STATE
@given(st.one_of(st.binary(max_size=200), st.text(alphabet="a:-[]{}#&*!|>'\"%@`,?\n \t0", max_size=60).map(str.encode)))
def test_any_bytes(tmp_path, data):
    file = tmp_path / "proxy.yaml"
    file.write_bytes(data)
    outcome(file, {}, {})


@FIXTURE_HOLDS_NO_STATE
@given(st.dictionaries(st.one_of(st.sampled_from([variable(key) for key in scalar_keys()]),
                                 st.text(max_size=10).map("SIGNING_PROXY_".__add__)),
                       st.one_of(st.text(max_size=10), st.sampled_from(TEXTS)), max_size=5).map(
           lambda environ: {k: v for k, v in environ.items() if k != "SIGNING_PROXY_CONFIG_FILE"}),
       st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4))
def test_any_variables_and_flags(tmp_path, environ, flags):
    file = tmp_path / "proxy.yaml"
    file.write_text(APPLICATION + "routes: nordea\n")
    outcome(file, environ, flags)
