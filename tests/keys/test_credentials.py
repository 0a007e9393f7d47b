"""Client id and secret are trimmed, and nothing that would break out of its header gets in."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from proxy.errors import KeyUnusable
from proxy.keys.credentials import Credential, CredentialSettings, CredentialSource, read_secret
from tests.keys.making import write

SECRET = b"CANARY1-a2b3-secret"


def from_file(folder: Path, content: bytes, mode: int = 0o600) -> Credential:
    path = write(folder / "secret", content, mode)
    return read_secret(file=path, env=None, what="client secret", allow_group_read=False, environ={})


def from_env(environ: dict[str, str], name: str = "SECRET") -> Credential:
    return read_secret(file=None, env=name, what="client secret", allow_group_read=False, environ=environ)


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_one_final_line_break_is_nothing_to_speak_of(ending: bytes, tmp_path: Path) -> None:
    read = from_file(tmp_path, SECRET + ending)
    assert read.secret.reveal() == SECRET
    assert read.warnings == ()


@pytest.mark.parametrize("around", [(b" ", b""), (b"", b" "), (b"", b"\n\n"), (b"\t", b"\r\n"), (b"", b" \n")])
def test_other_whitespace_is_trimmed_with_a_word(around: tuple[bytes, bytes], tmp_path: Path) -> None:
    read = from_file(tmp_path, around[0] + SECRET + around[1])
    assert read.secret.reveal() == SECRET
    (sentence,) = read.warnings
    assert "whitespace around it" in sentence
    assert "CANARY" not in sentence


UNFIT = {
    "line feed": b"CANARY\nX-Evil: 1",
    "carriage return": b"CANARY\rX-Evil: 1",
    "null": b"CANARY\0",
    "tab": b"CANARY\tx",
    "delete": b"CANARY\x7f",
    "latin-1": b"CANARY\xe4",
    "utf-8": "CANARYä".encode(),
    "empty": b"",
    "blank": b" \n",
    "endless": b"CANARY" * 1000,
}


@pytest.mark.parametrize("name", UNFIT)
def test_unfit_values_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable) as caught:
        from_file(tmp_path, UNFIT[name])
    assert caught.value.code == "secret_missing"
    assert "CANARY" not in str(caught.value)
    assert ("unfit for a header" in str(caught.value)) == (name not in {"empty", "blank", "endless"})


def test_environment() -> None:
    assert from_env({"SECRET": " abc"}).secret.reveal() == b"abc"
    for environ in ({}, {"SECRET": ""}, {"SECRET": "a\nb"}, {"SECRET": "a\ud800"}):
        with pytest.raises(KeyUnusable) as caught:
            from_env(environ)
        assert caught.value.code == "secret_missing"


def test_a_secret_in_place_of_the_variables_name_is_not_shown() -> None:
    with pytest.raises(KeyUnusable) as caught:
        from_env({}, "CANARY-a2b3")
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(("file", "env"), [(None, None), ("f", "E")])
def test_exactly_one_place(file: str | None, env: str | None) -> None:
    with pytest.raises(KeyUnusable) as caught:
        read_secret(file=file, env=env, what="client secret", allow_group_read=False, environ={})
    assert caught.value.code == "secret_missing"


def test_the_secret_file_is_guarded(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable) as caught:
        from_file(tmp_path, SECRET, 0o644)
    assert caught.value.code == "key_permissions"


def test_a_source_reads_both(tmp_path: Path) -> None:
    path = write(tmp_path / "secret", SECRET + b" ")
    source = CredentialSource(CredentialSettings(client_id_env="ID", client_secret_file=path), {"ID": "the-id "})
    read = source.load()
    assert (read.client_id, read.client_secret.reveal()) == (b"the-id", SECRET)
    assert [sentence[:13] for sentence in read.warnings] == ["The client id", "The client se"]
    assert source.watched() == (path,)
    assert "CANARY" not in repr(read)


@pytest.mark.parametrize("client_id", ['a"b', "a\\b", "a\nb", "ä", " ", "\ud800"])
def test_a_client_id_fits_between_quotation_marks(client_id: str) -> None:
    settings = CredentialSettings(client_id=client_id, client_secret_env="S")
    with pytest.raises(KeyUnusable) as caught:
        CredentialSource(settings, {"S": "s"}).load()
    assert caught.value.code == "secret_missing"


@pytest.mark.parametrize("places", [
    {}, {"client_id": "a"}, {"client_secret_env": "S"},
    {"client_id": "a", "client_id_env": "I", "client_secret_env": "S"},
    {"client_id": "a", "client_secret_env": "S", "client_secret_file": "f"},
    {"client_id": "a", "client_secret_env": "S", "client_secret": "in the configuration itself"},
])
def test_settings_say_where_exactly_once(places: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(places, CredentialSettings)
