"""`check` finds at the desk what would fail in production, one line for each thing it looked at."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import yaml

from proxy.cli.companion import companion
from proxy.emulator import Authority, Seal, Validity
from proxy.emulator.authority import write_private

LONG = Validity(datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC))
FUTURE = Validity(datetime(2110, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC))
PAST = Validity(datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="session")
def bank(tmp_path_factory):
    """A running emulator with the configuration that reaches it."""
    with companion(tmp_path_factory.mktemp("bank")) as running:
        yield running


@pytest.fixture(scope="session")
def authority():
    return Authority()


@pytest.fixture(scope="session")
def seal(authority):
    return authority.seal(validity=LONG)


@pytest.fixture
def configure(seal, tmp_path):
    """Writes a configuration with one application and one route; changes go into either."""
    seal.write(tmp_path, "key.pem", "certificate.pem")
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("s3cret-value")

    def write(application=(), route=(), **top):
        document = {
            "applications": {"main": {
                "client_id": "abc", "client_secret_file": str(secret), "key_file": str(tmp_path / "key.pem"),
                "certificate_file": str(tmp_path / "certificate.pem"), **dict(application)}},
            "routes": [{"profile": "nordea", **dict(route)}],
            **top}
        path = tmp_path / "proxy.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    return write


def rows(result):
    return {(row["kind"], row["name"]): row for row in json.loads(result.stdout)["checks"]}


def test_all_in_order(call, configure):
    result = call("check", "--config-file", configure())
    assert (result.exit_code, result.stderr) == (0, "")
    application, route = result.stdout.splitlines()
    assert application.startswith("application main: ok: RSA 2048, key ")
    assert application.endswith("until 2120-01-01, PSP_AS PSP_PI PSP_AI PSP_IC, eseal")
    assert route == "route nordea: ok: / on main to open.nordea.com, test signatures verified"
    assert "s3cret-value" not in result.stdout


def test_as_json_in_a_process_of_its_own(process, configure):
    done = process("check", "--json", "--config", configure())
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"], report["problems"]) == (0, True, [])
    facts = report["checks"][0]["certificate"]
    assert facts["organization_identifier"] == "PSDFI-FINFSA-112233"
    assert facts["roles"] == ["PSP_AS", "PSP_PI", "PSP_AI", "PSP_IC"]
    assert report["checks"][0]["key"]["bits"] == 2048


@pytest.mark.parametrize(("spoil", "code"), [
    ({"key_file": "/does/not/exist"}, "key_unreadable"),
    ({"client_secret_file": "/does/not/exist"}, "key_unreadable"),
    ({"certificate_file": "other.pem"}, "key_pair_mismatch"),
    ({"certificate_file": "expired.pem", "key_file": "expired.key"}, "certificate_expired"),
    ({"key_file": "open.pem"}, "key_permissions"),
    ({"key_file": "certificate.pem", "certificate_file": "key.pem"}, None),
])
def test_a_problem_of_an_application(call, configure, authority, tmp_path, spoil, code):
    authority.seal(validity=LONG).write(tmp_path, "other.key", "other.pem")
    authority.seal(validity=PAST).write(tmp_path, "expired.key", "expired.pem")
    (tmp_path / "open.pem").write_bytes((tmp_path / "key.pem").read_bytes())
    (tmp_path / "open.pem").chmod(0o644)
    path = configure(application={name: str(tmp_path / value) for name, value in spoil.items()})
    result = call("check", "--json", "--config-file", path)
    found = rows(result)
    assert result.exit_code == 1
    assert found["application", "main"]["ok"] is False
    assert code in (None, found["application", "main"]["code"])
    assert found["route", "nordea"]["ok"] is ("client_secret_file" in spoil)
    text = call("check", "--config-file", path)
    assert text.exit_code == 1
    assert text.stdout.splitlines()[0].startswith(f"application main: {found['application', 'main']['code']}: ")


def test_roles_the_bank_denies_are_a_warning(call, configure, authority, tmp_path):
    authority.seal(holder=Seal(roles=("PSP_IC",)), validity=LONG).write(tmp_path, "ic.key", "ic.pem")
    path = configure(application={"key_file": str(tmp_path / "ic.key"), "certificate_file": str(tmp_path / "ic.pem")})
    result = call("check", "--config-file", path)
    assert result.exit_code == 0
    assert "  warning: The certificate's only role is PSP_IC" in result.stdout


def test_a_foreign_key_for_the_sandbox_is_a_warning(call, configure):
    result = call("check", "--config-file", configure(route={"profile": "nordea-sandbox"}))
    assert result.exit_code == 0
    assert "  warning: The sandbox accepts only the bank's published demo key." in result.stdout


@pytest.mark.parametrize("route", [
    {"key_id": "other"}, {"empty_body": "omit"}, {"form": "raw"}, {"upstream": "https://open.nordea.com:8443/base"},
    {"upstream": "https://127.0.0.1:9", "host": "open.nordea.com"}, {"prefix": "/a", "strip_prefix": True},
    {"allow": ["GET /personal/**"]}])
def test_settings_of_a_route_do_not_disturb_the_test_signature(call, configure, route):
    result = call("check", "--json", "--config-file", configure(route=route))
    assert [row["ok"] for row in rows(result).values()] == [True, True]


def test_the_next_key_is_looked_at_as_well(call, configure, authority, tmp_path):
    authority.seal(validity=FUTURE).write(tmp_path, "next.pem", "next-certificate.pem")
    following = {"key_file": str(tmp_path / "next.pem"), "certificate_file": str(tmp_path / "next-certificate.pem")}
    result = call("check", "--json", "--config-file", configure(application={"next": following}))
    row = rows(result)["application", "main, next key"]
    assert (result.exit_code, row["ok"]) == (0, True)
    assert "is valid from 2110-01-01" in str(row["warnings"])
    following["certificate_file"] = str(tmp_path / "certificate.pem")
    result = call("check", "--json", "--config-file", configure(application={"next": following}))
    assert result.exit_code == 1
    assert rows(result)["application", "main, next key"]["code"] == "key_pair_mismatch"


def test_a_token_file_that_cannot_be_read(call, configure, tmp_path):
    result = call("check", "--json", "--config-file", configure(client_token_file=str(tmp_path / "none")))
    assert rows(result)["listener", "main"]["code"] == "key_unreadable"


def test_the_admin_tokens_are_read_as_well(call, configure, tmp_path):
    write_private(tmp_path / "admin", b"one\ntwo\n")
    found = rows(call("check", "--json", "--config-file", configure(admin_token_file=str(tmp_path / "admin"))))
    assert (found["listener", "admin"]["ok"], found["listener", "admin"]["text"]) == (True, "2 admin tokens")
    (tmp_path / "admin").chmod(0o644)
    result = call("check", "--json", "--config-file", configure(admin_token_file=str(tmp_path / "admin")))
    assert (result.exit_code, rows(result)["listener", "admin"]["code"]) == (1, "key_permissions")


def test_a_bad_configuration_as_json_lists_every_place(call, tmp_path):
    (tmp_path / "proxy.yaml").write_text("prot: 1\nroutes:\n  - profile: nordae\n")
    result = call("check", "--json", "--config-file", tmp_path / "proxy.yaml")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["ok"], report["code"]) == (1, False, "config_invalid")
    assert {"prot", "routes[0].profile"} <= {problem["path"] for problem in report["problems"]}


def test_connect(call, bank):
    result = call("check", "--connect", "--config-file", bank.config_file)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].startswith("connection open.nordea.com:")
    assert result.stdout.splitlines()[-1].endswith(": ok: TLSv1.3, name checked")


@pytest.mark.parametrize(("change", "code"), [
    (("upstream_ca_file: ", "# "), "upstream_tls"),
    (("open.nordea.com", "wrong.example"), "upstream_tls"),
    (("https://127.0.0.1:", "https://name.invalid:"), "upstream_dns")])
def test_connect_to_a_bank_that_cannot_be_trusted_or_found(call, bank, tmp_path, change, code):
    path = tmp_path / "proxy.yaml"
    path.write_text(bank.config_file.read_text().replace(*change))
    result = call("check", "--connect", "--json", "--config-file", path)
    (row,) = [row for (kind, _), row in rows(result).items() if kind == "connection"]
    assert (result.exit_code, row["code"]) == (1, code)


class TestSignByRoute:
    """`sign` with a configuration takes the route's own settings."""

    def test_the_route_of_the_path(self, call, configure):
        facts = json.loads(call("sign", "--json", "--config-file", configure(), "/personal/v5/accounts").stdout)
        assert facts["url"] == "https://open.nordea.com/personal/v5/accounts"
        assert ["X-IBM-Client-Secret", "***"] in facts["headers"]

    def test_the_named_route_with_its_settings(self, call, configure):
        path = configure(route={"name": "mine", "upstream": "https://open.nordea.com/base", "key_id": "k",
                                "prefix": "/x", "strip_prefix": True, "empty_body": "omit"})
        result = call("sign", "--json", "--config-file", path, "--route", "mine", "--method", "POST", "/x/y?z")
        facts = json.loads(result.stdout)
        assert facts["signing_string"].splitlines()[0] == "(request-target): post /base/y?z"
        assert facts["digest"] is None
        assert dict(facts["headers"])["Signature"].startswith('keyId="k",')

    def test_show_secret(self, call, configure):
        assert "s3cret-value" in call("sign", "--show-secret", "--config-file", configure(), "/a").stdout

    @pytest.mark.parametrize(("route", "arguments", "code"), [
        ({"prefix": "/x"}, ["/y"], "route_unknown"),
        ({"allow": ["GET /x/**"]}, ["/y"], "route_denied"),
        ({"allow": ["GET /x/**"]}, ["--method", "POST", "/x/y"], "route_denied"),
        ({"allow": ["GET /x/**"]}, ["/x/%2f"], "bad_target"),
        ({}, ["--route", "none", "/y"], "usage"),
        ({}, ["https://api.nordeaopenbanking.com/y"], "usage")])
    def test_refused(self, call, configure, route, arguments, code):
        result = call("sign", "--config-file", configure(route=route), *arguments)
        assert (result.exit_code, result.stderr.split(":")[1].strip()) == (2, code)

    def test_a_body_over_the_limit_of_the_configuration(self, call, configure):
        path = configure(limits={"body": 1024})
        result = call("sign", "--config-file", path, "--body-file", "-", "/a", stdin=b"x" * 1025)
        assert (result.exit_code, result.stderr.split(":")[1].strip()) == (2, "body_too_large")

    def test_a_route_that_skips_signing_needs_no_key(self, call, configure):
        path = configure(application={"key_file": None, "certificate_file": None},
                         route={"profile": "nordea-sandbox", "signature": "skip"})
        facts = json.loads(call("sign", "--json", "--config-file", path, "/a").stdout)
        assert (facts["signature"], facts["signing_string"]) == (None, None)
        assert ["Signature", "SKIP_SIGNATURE_VALIDATION_FOR_SANDBOX"] in facts["headers"]
        assert "skips signing" in call("sign", "--config-file", path, "/a").stdout
        assert "signing skipped" in call("check", "--config-file", path).stdout


class TestConfig:
    def test_schema_is_json_schema(self, process):
        import jsonschema

        done = process("config", "schema")
        schema = json.loads(done.stdout)
        jsonschema.validators.validator_for(schema).check_schema(schema)
        assert "routes" in json.dumps(schema)

    def test_show_is_a_configuration_again_without_secrets(self, call, configure, tmp_path):
        shown = call("config", "show", "--config-file", configure(limits={"body": 2048}))
        assert shown.exit_code == 0
        document = yaml.safe_load(shown.stdout)
        assert (document["port"], document["limits"]["body"]) == (8080, 2048)
        assert "s3cret-value" not in shown.stdout
        (tmp_path / "again.yaml").write_text(shown.stdout)
        assert call("config", "show", "--config-file", tmp_path / "again.yaml").stdout == shown.stdout

    def test_the_environment_wins_over_the_file(self, process, configure):
        done = process("config", "show", "--config-file", configure(port=8081), SIGNING_PROXY_PORT="8082")
        assert yaml.safe_load(done.stdout)["port"] == 8082

    def test_the_file_may_be_named_by_the_environment(self, process, configure):
        done = process("config", "show", SIGNING_PROXY_CONFIG_FILE=str(configure(port=8081)))
        assert (done.stderr, yaml.safe_load(done.stdout)["port"]) == (b"", 8081)


def test_traces_are_made_ready_and_none_is_sent(call, configure, tmp_path):
    headers = tmp_path / "headers"
    headers.write_text("authorization: Bearer hidden")
    headers.chmod(0o600)
    path = configure(traces={"endpoint": "http://127.0.0.1:1", "headers_file": str(headers)})
    assert rows(call("check", "--config-file", path, "--json"))["file", "traces"]["ok"]
    headers.chmod(0o644)
    assert rows(call("check", "--config-file", path, "--json"))["file", "traces"]["code"] == "key_permissions"
