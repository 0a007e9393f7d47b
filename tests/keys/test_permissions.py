"""A secret that others can read is refused, by the mode of the descriptor that was opened.

Running as root changes nothing here: root may read every file, but the mode is looked at all the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from proxy.errors import KeyUnusable
from proxy.keys import guarded
from proxy.keys.files import FileSettings, FileSource
from proxy.keys.guarded import doubts, read_public_file, read_secret_file
from tests.keys.making import NOW, PASSWORD, pem, pkcs8, write

PRIVATE = [0o400, 0o600, 0o700]
GROUP_READ = [0o440, 0o640, 0o750]
NEVER = [0o444, 0o644, 0o604, 0o660, 0o620, 0o602, 0o666, 0o777, 0o646]


def code_of(call: Callable[[], object]) -> str:
    try:
        call()
    except KeyUnusable as error:
        return error.code
    return ""


@pytest.mark.parametrize("mode", PRIVATE + GROUP_READ + NEVER, ids=oct)
def test_modes(mode: int, tmp_path: Path) -> None:
    path = write(tmp_path / "key", b"content", mode)
    strictly = "" if mode in PRIVATE else "key_permissions"
    generously = "key_permissions" if mode in NEVER else ""
    assert code_of(lambda: read_secret_file(path, allow_group_read=False)) == strictly
    assert code_of(lambda: read_secret_file(path, allow_group_read=True)) == generously


def test_the_sentence_names_the_mode(tmp_path: Path) -> None:
    path = write(tmp_path / "key", b"", 0o644)
    with pytest.raises(KeyUnusable, match="has mode 0644") as caught:
        read_secret_file(path, allow_group_read=True)
    assert caught.value.detail == f"{path} has mode 0644"


def test_the_password_file_is_held_to_the_same(key: RSAPrivateKey, tmp_path: Path) -> None:
    settings = FileSettings(
        key_file=write(tmp_path / "key", pkcs8(key, password=PASSWORD)),
        key_password_file=write(tmp_path / "password", PASSWORD, 0o640),
    )
    assert code_of(lambda: FileSource(settings).load(NOW)) == "key_permissions"
    generous = FileSettings(
        key_file=settings.key_file, key_password_file=settings.key_password_file, allow_group_read=True
    )
    assert FileSource(generous).load(NOW).signer.bits == 2048


def test_a_certificate_may_be_public(key: RSAPrivateKey, cert: bytes, tmp_path: Path) -> None:
    public = write(tmp_path / "certificate", pem(cert), 0o666)
    source = FileSource(FileSettings(key_file=write(tmp_path / "key", pkcs8(key)), certificate_file=public))
    assert source.load(NOW).certificate is not None


@pytest.mark.parametrize("mode", [0o400, 0o444])
def test_links_lead_to_the_targets_mode(mode: int, tmp_path: Path) -> None:
    """The layout of a Kubernetes volume: key -> ..data/key, ..data -> ..2026."""
    (tmp_path / "..2026").mkdir()
    write(tmp_path / "..2026" / "key", b"content", mode)
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "key").symlink_to("..data/key")
    expected = "" if mode == 0o400 else "key_permissions"
    assert code_of(lambda: read_secret_file(str(tmp_path / "key"), allow_group_read=False)) == expected


@pytest.mark.parametrize(("mode", "said"), [(0o700, 0), (0o755, 0), (0o775, 0), (0o777, 1), (0o703, 1), (0o1777, 0)])
def test_a_directory_in_which_everybody_may_change_files_is_told(mode: int, said: int, tmp_path: Path) -> None:
    """A Kubernetes volume's is 1777, where nobody may remove what belongs to others."""
    (tmp_path / "there").mkdir()
    path = write(tmp_path / "there" / "key", b"content")
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "there").chmod(mode)
    assert len(doubts(path)) == len(doubts(str(tmp_path / "link"))) == said


def test_a_file_of_another_user_is_told(key: RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = FileSource(FileSettings(key_file=write(tmp_path / "key", pkcs8(key))))
    mine = source.load(NOW).warnings
    owner = os.stat(tmp_path / "key").st_uid
    monkeypatch.setattr(guarded.os, "geteuid", lambda: owner + 1)
    monkeypatch.setattr(guarded, "_ROOT", owner + 2)
    (sentence,) = set(source.load(NOW).warnings) - set(mine)
    assert "belongs to another user" in sentence
    assert doubts(str(tmp_path / "nowhere")) == ()


def test_a_swap_after_opening_gains_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "key", b"readable by all", 0o644)
    really_open = os.open

    def open_then_swap(name: str, flags: int) -> int:
        descriptor = really_open(name, flags)
        write(tmp_path / "key", b"private", 0o600)
        return descriptor

    monkeypatch.setattr(guarded.os, "open", open_then_swap)
    assert code_of(lambda: read_secret_file(path, allow_group_read=False)) == "key_permissions"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = os.listdir("/dev/fd")
    for content, mode in ((b"x", 0o600), (b"x", 0o644), (b"x" * (guarded.MAX_BYTES + 1), 0o600)):
        path = write(tmp_path / "key", content, mode)
        code_of(lambda path=path: read_secret_file(path, allow_group_read=False))
    code_of(lambda: read_public_file(str(tmp_path)))
    assert len(os.listdir("/dev/fd")) == len(before)


def test_exactly_a_mebibyte_is_read(tmp_path: Path) -> None:
    content = b"x" * guarded.MAX_BYTES
    assert read_public_file(write(tmp_path / "large", content)) == content
