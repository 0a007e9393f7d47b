"""docs/keys.md: every configuration there loads keys that sign, from files, Vault and tokens made as it says."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from proxy.app import compose
from proxy.config.load import load
from proxy.config.reference import schema
from proxy.emulator import Authority, Pair
from proxy.keys.certificate import parse_certificate
from proxy.keys.keyring import Keyring
from proxy.keys.pkcs11.thread import close_all
from tests.keys import hsm
from tests.keys.making import PASSWORD, keystore, write
from tests.vault.access import Role, Service
from tests.vault.cluster import NAMESPACE, Cluster
from tests.vault.engines import Kv1, Kv2, Transit
from tests.vault.standin import Space, Standin

TEXT = (Path(__file__).parent.parent / "docs" / "keys.md").read_text(encoding="utf-8")
PARTS = re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
EXAMPLES = [(title, text) for title, part in PARTS for text in re.findall(r"^```yaml\n(.*?)^```", part, re.M | re.S)]
DESCRIBED = {"Files": ("file ", "file "), "Vault KV": ("vault kv secret/qseal", "vault kv kv/qseal"),
             "Vault Transit": ("vault transit transit/qseal",),
             "PKCS#11 (HSM)": ("PKCS#11 token company-seals, key with label qseal",)}
MESSAGE = b"(request-target): get /personal/v5/accounts"


def test_each_source_has_a_section():
    assert {title: sum(one == title for one, _ in EXAMPLES) for title in DESCRIBED} == {
        title: len(described) for title, described in DESCRIBED.items()}


@pytest.fixture(scope="module")
def pairs() -> tuple[Pair, Pair]:
    """Of this year and of the next."""
    return Authority().seal(), Authority().seal()


@pytest.fixture(scope="module")
def vault(pairs, tmp_path_factory) -> Iterator[tuple[Standin, Path]]:
    """Over TLS, with its authority's certificate, and all that the examples name."""
    folder, authority = tmp_path_factory.mktemp("vault"), Authority()
    key, certificate = authority.server().write(folder, "server.key", "server.crt")
    (folder / "ca.pem").write_bytes(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Standin(context) as standin, Cluster() as cluster:
        access = standin.access
        access.manage("POST", "sys/policies/acl/proxy", {"policy": policy()})
        access.roles["proxy"] = Role("11111111-1111-1111-1111-111111111111", ["proxy"], 3600, {"the-secret-id": 0}, 0)
        access.services["signing-proxy"] = Service(["the-pod"], [NAMESPACE], ["proxy"], 3600)
        access.cluster = cluster.address
        (folder / "jwt").write_text(cluster.account("the-pod").jwt)
        fill(standin, *pairs)
        yield standin, folder


def policy() -> str:
    """In a namespace Vault reads the paths as that one's; the stand-in has policies for the whole server."""
    rules = re.findall(r'^    (path ".*)$', TEXT, re.MULTILINE)
    assert len(rules) == 4
    return "\n".join([*rules, *(rule.replace('path "', 'path "payments/') for rule in rules),
                      'path "kv/qseal" { capabilities = ["read"] }'])


def fill(standin: Standin, old: Pair, new: Pair) -> None:
    fields = [{"private_key": pair.key_pem.decode(), "certificate": pair.certificate_pem.decode()}
              for pair in (old, new)]
    secrets, first = Kv2(), Kv1()
    secrets.versions = {"bank": [{"client_id": "the-id", "client_secret": "the-secret"}],
                        "qseal": [fields[0], fields[0], fields[0], fields[1]]}
    first.secrets["qseal"] = fields[0]
    standin.spaces["payments"] = Space()
    for space in standin.spaces.values():
        transit = Transit()
        for pair in (old, new):
            transit.put("qseal", load_pem_private_key(pair.key_pem, None))
        space.mounts |= {"secret": secrets, "kv": first, "transit": transit}


@pytest.fixture
def store(pairs, tmp_path) -> hsm.Store:
    hsm.needed()
    store = hsm.Store.make(tmp_path / "hsm")
    store.token("company-seals")
    for number, (label, pair) in enumerate(zip(("qseal", "qseal-2027"), pairs, strict=True), 1):
        store.key("company-seals", load_pem_private_key(pair.key_pem, None), label, f"0{number}")
        store.certificate("company-seals", certificate_of(pair), label, f"0{number}")
    return store


def certificate_of(pair: Pair) -> bytes:
    """DER."""
    return load_pem_x509_certificate(pair.certificate_pem).public_bytes(Encoding.DER)


def place_files(folder: Path, old: Pair, new: Pair) -> None:
    (folder / "secrets").mkdir()
    p12 = keystore(load_pem_private_key(old.key_pem, None), certificate_of(old))
    contents = {"client-secret": b"the-secret\n", "qseal.p12": p12, "qseal.password": PASSWORD,
                "qseal.key": old.key_pem, "qseal.crt": old.certificate_pem, "token-pin": hsm.PIN.encode()}
    for year, pair in (("2026", old), ("2027", new)):
        contents |= {f"{year}.key": pair.key_pem, f"{year}.crt": pair.certificate_pem}
    for name, content in contents.items():
        write(folder / "secrets" / name, content)
        if name.endswith(".crt"):
            write(folder / name, content)


def in_vault(text: str, vault: tuple[Standin, Path], folder: Path, environ: dict[str, str]) -> str:
    """The example with this Vault's address, and the pod's token where no pod is."""
    standin, made = vault
    (folder / "vault-ca.pem").write_bytes((made / "ca.pem").read_bytes())
    write(folder / "secrets" / "secret-id", b"the-secret-id")
    environ |= {"VAULT_CACERT": str(made / "ca.pem"), "VAULT_TOKEN": standin.access.issue(["proxy"], 3600).text}
    text = text.replace("{role: signing-proxy}", f"{{role: signing-proxy, jwt_file: {made / 'jwt'}}}")
    return text.replace("https://vault.example:8200", f"https://127.0.0.1:{standin.port}")


@pytest.fixture
def prepared(request, pairs, tmp_path, monkeypatch):
    """prepared(text): the path of an example's configuration and its environment, once all that it names is there."""
    def prepare(text: str) -> tuple[Path, dict[str, str]]:
        environ: dict[str, str] = {}
        place_files(tmp_path, *pairs)
        if "vault" in text:
            text = in_vault(text, request.getfixturevalue("vault"), tmp_path, environ)
        if "pkcs11" in text:
            monkeypatch.setenv("SOFTHSM2_CONF", request.getfixturevalue("store").environ["SOFTHSM2_CONF"])
            text = text.replace("/usr/lib/softhsm/libsofthsm2.so", hsm.module())
            close_all()
            request.addfinalizer(close_all)
        (tmp_path / "proxy.yaml").write_text(text)
        return tmp_path / "proxy.yaml", environ

    return prepare


def signs_as(ring: Keyring) -> bytes:
    """DER of the certificate that its signature fits."""
    key = ring.current.key
    public = parse_certificate(key.certificate.der).public_key()
    public.verify(key.signer.sign(MESSAGE), MESSAGE, PKCS1v15(), SHA256())
    return key.certificate.der


@pytest.mark.parametrize(("title", "text"), EXAMPLES, ids=[f"{title} {at}" for at, (title, _) in enumerate(EXAMPLES)])
def test_the_configuration_loads_keys_that_sign(title, text, prepared, pairs):
    jsonschema.Draft202012Validator(schema()).validate(yaml.safe_load(text))
    path, environ = prepared(text)
    rings = compose.keyrings(load(path, environ, {}), environ)
    try:
        compose.load_keys(rings)
        (slots,) = rings.values()
        old, new = map(certificate_of, pairs)
        found = [signs_as(ring) for ring in slots.rings()]
        assert found in ([old], [new]) if slots.spare is None else found == [old, new]
        assert slots.current.client_secret.reveal() == b"the-secret"
        assert slots.signing.describe().startswith(DESCRIBED.get(title, ("",)))
    finally:
        if rings.vault is not None:
            rings.vault.close()
