"""`check` and `sign` use a key on a token as the proxy does."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from proxy.emulator import Authority
from proxy.keys.pkcs11.thread import close_all
from tests.keys import hsm


@pytest.fixture(scope="module")
def pair():
    return Authority().seal()


@pytest.fixture(scope="module")
def store(pair, tmp_path_factory) -> hsm.Store:
    hsm.needed()
    store = hsm.Store.make(tmp_path_factory.mktemp("hsm"))
    store.pin_file()
    store.token("seals")
    store.key("seals", load_pem_private_key(pair.key_pem, None), "seal", "01")
    return store


@pytest.fixture
def configure(store, pair, tmp_path, monkeypatch) -> Iterator[object]:
    """configure(certificate, **changes of the token): path of a configuration."""
    monkeypatch.setenv("SOFTHSM2_CONF", store.environ["SOFTHSM2_CONF"])
    close_all()

    def write(*, certificate: bool = True, **changes):
        (tmp_path / "c.pem").write_bytes(pair.certificate_pem)
        (tmp_path / "secret").write_text("s3cret")
        (tmp_path / "secret").chmod(0o600)
        token = {"module": hsm.module(), "token_label": "seals", "key_label": "seal",
                 "pin_file": str(store.directory / "pin"), **changes}
        application = {"client_id": "abc", "client_secret_file": "secret", "key_pkcs11": token}
        if certificate:
            application["certificate_file"] = "c.pem"
        path = tmp_path / "proxy.yaml"
        path.write_text(yaml.safe_dump({"applications": {"main": application}, "routes": ["nordea"]}))
        return path

    yield write
    close_all()


@pytest.mark.parametrize("certificate", [True, False])
def test_check_makes_and_verifies_signatures(call, configure, certificate):
    result = call("check", "--config-file", configure(certificate=certificate))
    assert result.exit_code == 0, result.stdout
    application, route = [line for line in result.stdout.splitlines() if ": ok:" in line]
    assert application.startswith("application main: ok: RSA 2048, key ")
    assert route.endswith("test signatures verified")
    assert hsm.PIN not in result.stdout + result.stderr


@pytest.mark.parametrize(("changes", "code"), [
    ({"module": "/nonexistent.so"}, "pkcs11_module"), ({"token_label": "absent"}, "pkcs11_token"),
    ({"key_label": "absent"}, "pkcs11_key"), ({"pin_file": "absent"}, "pkcs11_pin")])
def test_check_names_what_is_wrong(call, configure, changes, code):
    result = call("check", "--json", "--config-file", configure(**changes))
    assert result.exit_code != 0
    rows = {row["kind"]: row for row in json.loads(result.stdout)["checks"]}
    assert rows["application"]["code"] == code


def test_sign_makes_what_the_certificates_key_verifies(call, configure, pair):
    sealed = call("sign", "--json", "--config-file", configure(), "/personal/v5/accounts?page=2")
    assert sealed.exit_code == 0, sealed.stderr
    assert hsm.PIN not in sealed.stdout + sealed.stderr
    facts = json.loads(sealed.stdout)
    (header,) = [value for name, value in facts["headers"] if name == "Signature"]
    (signature,) = re.findall(r'signature="([^"]+)"', header)
    load_pem_x509_certificate(pair.certificate_pem).public_key().verify(
        base64.b64decode(signature), facts["signing_string"].encode(), PKCS1v15(), SHA256())
