"""A key on a token signs like one in a file, and what is wrong with token, PIN or key has a code of its own."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from proxy.errors import KeyUnusable
from proxy.keys.credentials import CredentialSettings, CredentialSource
from proxy.keys.keyring import Keyring
from proxy.keys.pkcs11 import Pkcs11Source
from proxy.keys.pkcs11.settings import Place
from proxy.keys.pkcs11.thread import thread_of
from proxy.keys.pkcs11.token import refuse_risky
from proxy.keys.rsa_signer import spki_sha256
from tests.keys import hsm
from tests.keys.hsm import PIN, Store
from tests.keys.making import NOW, pem, write

MESSAGE = b"date: Mon, 01 Jun 2026 12:00:00 GMT"


def signs(loaded, key: RSAPrivateKey, message: bytes = MESSAGE) -> None:
    key.public_key().verify(loaded.signer.sign(message), message, PKCS1v15(), SHA256())


def refused(source: Pkcs11Source) -> KeyUnusable:
    with pytest.raises(KeyUnusable) as raised:
        source.load(NOW)
    assert PIN not in str(raised.value)
    return raised.value


def change_pin(label: str, old: str, new: str) -> None:
    """In this process, as SoftHSM reads a token's PIN only when it is initialized."""
    def work(tokens) -> None:
        (token,) = tokens._present(Place(label=label))
        try:
            session = token.open(rw=True, user_pin=old)
        except tokens._pkcs11.UserAlreadyLoggedIn:
            session = token.open(rw=True)
        library, size = ctypes.CDLL(hsm.module()), ctypes.c_ulong
        assert library.C_SetPIN(size(session.handle), old.encode(), size(len(old)), new.encode(), size(len(new))) == 0
        session.close()

    thread_of(hsm.module()).run(work, deadline=10, code="x")


def place_of(store: Store, how: str) -> dict[str, object]:
    return {"label": {}, "slot": {"token_label": None, "slot": store.slot("seals")},
            "serial": {"token_label": None, "serial": store.serial("seals")}}[how]


@pytest.mark.parametrize("token", ["label", "slot", "serial"])
@pytest.mark.parametrize("name", [{}, {"key_label": None, "key_id": "01"}], ids=["by label", "by id"])
def test_a_key_is_found_and_signs(token_store: Store, key, cert, token, name) -> None:
    source = token_store.source(**place_of(token_store, token), **name, certificate_label="seal")
    loaded = source.load(NOW)
    signs(loaded, key)
    assert (loaded.signer.bits, loaded.signer.inline) == (2048, False)
    assert loaded.signer.spki_sha256 == spki_sha256(key.public_key())
    assert loaded.certificate is not None
    assert (loaded.certificate.der, loaded.warnings) == (cert, ())
    assert source.watched() == (str(token_store.directory / "pin"),)
    for text in (source.describe(), repr(loaded.signer), repr(source)):
        assert "CANARY" not in text


def test_the_signer_is_immutable(token_store: Store) -> None:
    signer = token_store.source().load(NOW).signer
    with pytest.raises(AttributeError):
        signer.bits = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del signer.bits  # type: ignore[misc]
    with pytest.raises(TypeError):
        signer.__reduce__()


def test_the_certificate_by_id_from_a_file_or_not_at_all(token_store: Store, cert, other_cert, tmp_path) -> None:
    assert token_store.source(certificate_id="01").load(NOW).certificate.der == cert
    chain = write(tmp_path / "chain.pem", pem(other_cert) + pem(cert))
    source = token_store.source(chain)
    assert source.load(NOW).certificate.der == cert
    assert chain in source.watched()
    (warning,) = token_store.source().load(NOW).warnings
    assert "No certificate" in warning


def test_a_certificate_of_another_key(token_store: Store, other_cert, tmp_path) -> None:
    assert refused(token_store.source(certificate_label="other")).code == "key_pair_mismatch"
    assert refused(token_store.source(write(tmp_path / "c.pem", pem(other_cert)))).code == "key_pair_mismatch"


@pytest.mark.parametrize(("changes", "code", "says"), [
    ({"module": "/nonexistent/module.so"}, "pkcs11_module", "there is no file"),
    ({"module": __file__}, "pkcs11_module", "answers PKCS11Error"),
    ({"token_label": "absent"}, "pkcs11_token", "there is no token absent"),
    ({"token_label": "double"}, "pkcs11_token", "there are 2 token double"),
    ({"token_label": None, "slot": 3}, "pkcs11_token", "there is no slot 3"),
    ({"token_label": None, "serial": "0"}, "pkcs11_token", "there is no token with serial 0"),
    ({"key_label": "absent"}, "pkcs11_key", "holds no private key with label absent"),
    ({"key_label": None, "key_id": "ffff"}, "pkcs11_key", "holds no private key with id ffff"),
    ({"key_label": "twin"}, "pkcs11_key", "holds 2 private keys with label twin"),
    ({"key_label": "decrypts"}, "pkcs11_key", "may not sign"),
    ({"key_label": "curve"}, "key_type", "label curve"),
    ({"key_label": "small"}, "key_too_small", "has 1024 bits"),
    ({"certificate_label": "absent"}, "pkcs11_certificate", "holds none with label absent"),
    ({"pin_file": "/nonexistent/pin"}, "pkcs11_pin", "does not exist"),
    ({"pin_file": None, "pin_env": "UNSET_PIN"}, "pkcs11_pin", "the environment variable UNSET_PIN holds none"),
])
def test_what_cannot_be_used_has_a_code(token_store: Store, changes, code, says) -> None:
    error = refused(token_store.source(**changes))
    assert error.code == code
    assert says in str(error)
    token_store.source().load(NOW)      # and the thread serves on


def test_the_pin_in_a_variable(token_store: Store, key) -> None:
    settings = token_store.settings(pin_file=None, pin_env="SEAL_PIN")
    signs(Pkcs11Source(settings, environ={"SEAL_PIN": PIN}).load(NOW), key)


@pytest.mark.parametrize("content", ["", "\n", "\xff\udcff", "a\0b"])
def test_a_pin_that_is_none(token_store: Store, tmp_path, content) -> None:
    path = write(tmp_path / "pin", content.encode("utf-8", "surrogateescape"))
    assert refused(token_store.source(pin_file=path)).code == "pkcs11_pin"


def test_a_pin_that_others_can_read(token_store: Store, tmp_path) -> None:
    path = write(tmp_path / "pin", PIN.encode(), mode=0o640)
    assert refused(token_store.source(pin_file=path)).code == "key_permissions"
    Pkcs11Source(token_store.settings(pin_file=path), allow_group_read=True).load(NOW)


def test_a_wrong_pin_is_tried_once(token_store: Store, key, tmp_path) -> None:
    """The token is given the refused PIN afterwards: trying it again would be noticed by its success."""
    wrong = "CANARY-wrong-1"
    path = write(tmp_path / "pin", wrong.encode())
    source = token_store.source(token_label="pins", pin_file=path)
    assert "is wrong" in str(refused(source))
    change_pin("pins", PIN, wrong)
    for _ in range(3):
        error = refused(source)
        assert error.code == "pkcs11_pin"
        assert "not tried again" in str(error)
        assert wrong not in str(error)
    write(tmp_path / "pin", PIN.encode())
    assert "is wrong" in str(refused(source)), "another content is tried"
    change_pin("pins", wrong, PIN)
    write(tmp_path / "pin", PIN.encode() + b"\n")
    assert "not tried again" in str(refused(source)), "a line break is not another PIN"


def test_a_wrong_pin_beside_a_right_one(token_store: Store, key, other_key, tmp_path) -> None:
    """Login is the process's: a module takes any PIN while somebody is logged in, so that it must be asked anew."""
    first = token_store.source().load(NOW)
    wrong = write(tmp_path / "pin", b"CANARY-wrong-2")
    second = token_store.source(key_label="other", pin_file=wrong)
    assert "is wrong" in str(refused(second))
    signs(first, key)
    assert "not tried again" in str(refused(second))
    signs(first, key)
    write(tmp_path / "pin", PIN.encode())
    signs(second.load(NOW), other_key)
    signs(first, key)


@pytest.mark.parametrize(("flag", "says"), [(0x40000, "is locked"), (0x20000, "one more wrong PIN")])
def test_no_pin_is_tried_where_it_could_lock_the_token(flag, says) -> None:
    refuse_risky(0x40D, Place(label="seals"))
    with pytest.raises(KeyUnusable, match=says) as raised:
        refuse_risky(0x40D | flag, Place(label="seals"))
    assert raised.value.code == "pkcs11_pin"


def test_two_applications_share_a_token(token_store: Store, key, other_key) -> None:
    first = token_store.source().load(NOW)
    second = token_store.source(token_label=None, serial=token_store.serial("seals"), key_label="other").load(NOW)
    signs(first, key)
    signs(second, other_key)
    logins = thread_of(hsm.module()).run(lambda tokens: set(tokens._logins.values()), deadline=10, code="x")
    assert len(logins) == 1


def test_two_hundred_signatures_from_many_threads(token_store: Store, key, other_key) -> None:
    pairs = [(token_store.source().load(NOW), key), (token_store.source(key_label="other").load(NOW), other_key),
             (token_store.source(token_label="pins").load(NOW), key)]

    def one(number: int) -> None:
        loaded, private = pairs[number % len(pairs)]
        signs(loaded, private, b"message %d" % number)

    with ThreadPoolExecutor(24) as pool:
        assert len(list(pool.map(one, range(200)))) == 200


def foreign(store: Store, how: str) -> None:
    """What something else in this process may do to the sessions."""
    library = ctypes.CDLL(hsm.module())
    if how == "sessions closed":
        assert library.C_CloseAllSessions(ctypes.c_ulong(store.slot("seals"))) == 0
    elif how == "logged out":
        handle = thread_of(hsm.module()).run(
            lambda tokens: next(iter(tokens._logins.values())).session.handle, deadline=10, code="x")
        assert library.C_Logout(ctypes.c_ulong(handle)) == 0
    else:
        assert library.C_Finalize(None) == 0


@pytest.mark.parametrize("how", ["sessions closed", "logged out", "finalized"])
def test_a_lost_session_is_opened_again(token_store: Store, key, other_key, how, caplog) -> None:
    first, second = token_store.source().load(NOW), token_store.source(key_label="other").load(NOW)
    foreign(token_store, how)
    signs(first, key)
    signs(second, other_key)
    (record,) = [record for record in caplog.records if "session lost" in record.getMessage()]
    assert "token seals" in record.getMessage()
    foreign(token_store, how)
    signs(token_store.source().load(NOW), key)


def test_the_pin_is_not_tried_again_when_it_opens_no_more(token_store: Store, key) -> None:
    loaded = token_store.source(token_label="pins").load(NOW)
    change_pin("pins", PIN, "CANARY-new-1")
    try:
        ctypes.CDLL(hsm.module()).C_CloseAllSessions(ctypes.c_ulong(token_store.slot("pins")))
        for says in ("is wrong", "not tried again"):
            with pytest.raises(KeyUnusable, match=says) as raised:
                loaded.signer.sign(MESSAGE)
            assert raised.value.code == "pkcs11_pin"
    finally:
        change_pin("pins", "CANARY-new-1", PIN)


async def test_a_reload_takes_a_new_key_and_the_old_signer_works_on(token_store: Store, key, other_key, cert,
                                                                    other_cert, tmp_path) -> None:
    certificate = write(tmp_path / "cert", pem(cert))
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "secret").chmod(0o600)
    credentials = CredentialSource(CredentialSettings(client_id="id", client_secret_file=str(tmp_path / "secret")), {})
    token_store.key("spare", key, "current", "01")
    ring = Keyring("test", credentials, token_store.source(certificate, token_label="spare", key_label="current"))
    old = ring.load(NOW).key
    write(tmp_path / "cert", pem(other_cert))
    outcome = await ring.reload(NOW)
    assert outcome.error.code == "key_pair_mismatch"
    assert ring.current.key is old
    token_store.tool("spare", "--delete-object", "--type", "privkey", "--label", "current")
    token_store.tool("spare", "--delete-object", "--type", "pubkey", "--label", "current")
    token_store.key("spare", other_key, "current", "02")
    assert (await ring.reload(NOW)).ok
    signs(ring.current.key, other_key)
    with pytest.raises(KeyUnusable) as raised:
        old.signer.sign(MESSAGE)
    assert raised.value.code == "pkcs11_key", "the old key is gone, and the new one never signs in its place"
    token_store.key("spare", key, "current", "03")
    signs(old, key)
    signs(ring.current.key, other_key)


LOADING = """
import sys
from proxy.errors import KeyUnusable
from proxy.keys.pkcs11 import Pkcs11Key, Pkcs11Source
from tests.keys.making import NOW

def source():
    return Pkcs11Source(Pkcs11Key(module=sys.argv[1], token_label="seals", key_label="seal", pin_file=sys.argv[2]))

def code(call, *arguments):
    try:
        call(*arguments)
    except KeyUnusable as error:
        return error.code
    return "ok"

"""


def test_a_token_that_cannot_hash(tmp_path, key) -> None:
    """CKM_RSA_PKCS over a DigestInfo made here."""
    hsm.needed()
    store = Store.make(tmp_path / "store", "slots.mechanisms = CKM_RSA_PKCS")
    store.token("seals")
    store.key("seals", key, "seal", "01")
    signature = store.child(LOADING + """
loaded = source().load(NOW)
assert loaded.signer._thread.run(lambda tokens: next(iter(tokens._logins.values())).how.hashes, deadline=9,
                                 code="x") is False
print(loaded.signer.sign(b"message").hex())
""", hsm.module(), store.pin_file())
    key.public_key().verify(bytes.fromhex(signature), b"message", PKCS1v15(), SHA256())


def test_a_token_that_is_initialized_anew(tmp_path, key) -> None:
    """Key and session go; when the key is back on a token of that name, the signer finds it."""
    hsm.needed()
    store = Store.make(tmp_path / "store")
    store.token("seals")
    store.key("seals", key, "seal", "01")
    told = store.child(LOADING + f"""
import ctypes, shutil
from pathlib import Path
from tests.keys.hsm import Store
store = Store(Path({str(tmp_path / "store")!r}))
signer = source().load(NOW).signer
print(code(signer.sign, b"a"))
slot = store.slot("seals")
kept = store.directory / "kept"
shutil.copytree(store.directory / "tokens", kept)
shutil.rmtree(store.directory / "tokens")
(store.directory / "tokens").mkdir()
assert ctypes.CDLL(sys.argv[1]).C_CloseAllSessions(ctypes.c_ulong(slot)) == 0
print(code(signer.sign, b"b") != "ok", code(source().load, NOW))
shutil.rmtree(store.directory / "tokens")
kept.rename(store.directory / "tokens")
print(code(source().load, NOW), code(signer.sign, b"c"))
""", hsm.module(), store.pin_file())
    assert told.split() == ["ok", "True", "pkcs11_token", "ok", "ok"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork on this system.")
def test_a_child_of_the_process_begins_anew(tmp_path, key) -> None:
    hsm.needed()
    store = Store.make(tmp_path / "store")
    store.token("seals")
    store.key("seals", key, "seal", "01")
    told = store.child(LOADING + """
import os
from proxy.app.process import harden
harden()
signer = source().load(NOW).signer
child = os.fork()
if child == 0:
    os._exit(0 if code(source().load, NOW) == "ok" else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), code(signer.sign, b"a"))
""", hsm.module(), store.pin_file())
    assert told.split() == ["0", "ok"]


def test_without_the_package_the_extra_is_named() -> None:
    """Without a token too: what the others import must not need it."""
    program = LOADING + """
sys.modules["pkcs11"] = None
import proxy.cli, proxy.app.compose
try:
    source().load(NOW)
except KeyUnusable as error:
    print(error.code, error)
"""
    program = program.replace("pin_file=sys.argv[2]", 'pin_env="PIN"')
    done = subprocess.run([sys.executable, "-c", program, "/m.so"],
                          capture_output=True, text=True, timeout=60, check=False, cwd=hsm.ROOT,
                          env={**os.environ, "PYTHONPATH": str(hsm.ROOT), "PIN": "1"})
    assert done.stdout.startswith("pkcs11_missing "), done.stderr
    assert "pip install 'psd2-signing-proxy[pkcs11]'" in done.stdout


def test_the_package_is_imported_only_when_used() -> None:
    program = "import sys, proxy.cli.run, proxy.app.lifecycle, proxy.keys.pkcs11; print('pkcs11' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True,
                          cwd=hsm.ROOT).stdout.strip() == "False"
