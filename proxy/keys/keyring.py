"""Keeps one application's identity, which a reload replaces as a whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from proxy.core.secret import Secret
from proxy.errors import PROBLEMS, KeyUnusable
from proxy.keys.aside import aside
from proxy.keys.credentials import CredentialSource
from proxy.keys.guarded import read_public_file
from proxy.keys.source import KeySource, LoadedKey

SANDBOX_SPKI_SHA256: Final = "747328e27be81cd5c751023d35903abf3d52dbed291e76ac7e0b25b88f243375"
"""The demo key that the bank prints in its developer documentation; its sandbox knows no other."""

LONGEST_READ_S: Final = 120.0
"""Of one reload.  Vault and tokens have deadlines of their own, which are shorter unless somebody raises them."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a request is sealed with.  The data path takes it once per request, so a rotation cannot split one.

    key: None when the sandbox is called without signatures.  revision: 1 at start, one more at each reload.
    loaded_at: aware.  warnings: sentences for the operator.  trimmed: as in Credentials.
    """

    client_id: bytes
    client_secret: Secret
    key: LoadedKey | None
    revision: int
    loaded_at: datetime
    warnings: tuple[str, ...] = ()
    trimmed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replacements:
    """What reloads have changed since the start: when last (aware), and which key (spki_sha256) signed before."""

    key: datetime | None = None
    former_key: str = ""
    certificate: datetime | None = None
    credentials: datetime | None = None


@dataclass(frozen=True, slots=True)
class LoadError:
    """Why the last attempt failed.  code: a row of PROBLEMS.  sentence: without any secret."""

    code: str
    sentence: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """error is None when the reload succeeded.  revision: of the identity in service now; 0 when there is none.

    changed: whether another key, certificate or credential is in service than before.
    """

    revision: int
    error: LoadError | None
    changed: bool = False

    @property
    def ok(self) -> bool:
        return self.error is None


class Keyring:
    """current: plain attribute for the data path; None until the first load succeeds.  proven: spki_sha256 of the key
    that the bank was last seen to accept, "" before that.

    `load` and `content_changed` block; `reload` may be called on the event loop, at any time, by anybody.
    """

    def __init__(
        self,
        name: str,
        credentials: CredentialSource,
        source: KeySource | None,
        *,
        required_spki_sha256: str | None = None,
    ) -> None:
        """source: None when nothing is signed.  required_spki_sha256: any other key gets the sandbox_warning."""
        self.name = name
        self.current: Identity | None = None
        self.last_error: LoadError | None = None
        self.replaced = Replacements()
        self.proven = ""
        self.reloads_ok = 0
        self.reloads_failed = 0
        self._credentials = credentials
        self._source = source
        self._required = required_spki_sha256
        self._loaded_content: bytes | None = None
        self._lock = asyncio.Lock()
        self._reading: asyncio.Future[tuple[bytes | None, Identity]] | None = None

    def describe(self) -> str:
        return self._source.describe() if self._source else "no key: the signature is skipped"

    def watched(self) -> tuple[str, ...]:
        return (*(self._source.watched() if self._source else ()), *self._credentials.watched())

    def load(self, now: datetime) -> Identity:
        """The first identity, at start.  now: aware.  Raises KeyUnusable; `current` is then what it was."""
        try:
            content, identity = self._read(now)
        except KeyUnusable as error:
            self.last_error = LoadError(error.code, str(error), now)
            raise
        return self._swap(content, identity)

    async def reload(self, now: datetime) -> ReloadOutcome:
        """Reads everything again in a thread, then swaps once; a failure keeps the old identity and is remembered."""
        async with self._lock:
            try:
                content, identity = await self._read_in_time(now)
            except KeyUnusable as error:
                return self._failed(LoadError(error.code, str(error), now))
            except Exception as error:  # noqa: BLE001 - whatever a source does, the old key goes on serving
                # Only the type: the text of a foreign exception may hold anything.
                unforeseen = KeyUnusable("internal_error", f"{type(error).__name__} while loading the key")
                return self._failed(LoadError(unforeseen.code, str(unforeseen), now))
            self.reloads_ok += 1
            changed = self.current is None or _facts(self.current) != _facts(identity)
            return ReloadOutcome(self._swap(content, identity).revision, None, changed)

    async def _read_in_time(self, now: datetime) -> tuple[bytes | None, Identity]:
        """What hangs holds one thread, and no reload for ever; what it brings at last is thrown away."""
        try:
            async with asyncio.timeout(LONGEST_READ_S):
                if self._reading is not None:
                    await asyncio.wait([self._reading])
                self._reading = aside(lambda: self._read(now), f"load {self.name}")
                await asyncio.wait([self._reading])
        except TimeoutError:
            raise KeyUnusable("key_unreadable", f"reading did not end within {LONGEST_READ_S:g} seconds") from None
        return self._reading.result()

    def content_changed(self) -> bool:
        """Whether every watched file can be read and their content is not what the current identity was loaded from.

        Content, not times or inodes: Kubernetes swaps a symbolic link above the files.  While a file is missing the
        answer is False, because there is nothing to load yet and the old identity serves on; it becomes True when all
        files are back with other content.
        """
        content = self._content()
        return content is not None and content != self._loaded_content

    def reload_due(self) -> bool:
        """Whether to try (again): the content changed, or the last attempt failed for whatever reason."""
        return self.last_error is not None or self.content_changed()

    def _read(self, now: datetime) -> tuple[bytes | None, Identity]:
        # The hash comes first: files that are replaced while they are read differ from it, so the next poll reloads.
        content = self._content()
        key = self._source.load(now) if self._source else None
        credentials = self._credentials.load()
        about_key = (*key.warnings, *self._unexpected(key)) if key else ()
        warnings = (*about_key, *credentials.warnings)
        return content, Identity(credentials.client_id, credentials.client_secret, key, 0, now, warnings,
                                 credentials.trimmed)

    def _unexpected(self, key: LoadedKey) -> tuple[str, ...]:
        sentence = sandbox_warning(key, self._required) if self._required else None
        return (sentence,) if sentence else ()

    def _swap(self, content: bytes | None, read: Identity) -> Identity:
        revision = self.current.revision + 1 if self.current else 1
        identity = replace(read, revision=revision)
        self._loaded_content = content
        self.last_error = None
        if self.current is not None:
            self.replaced = _replaced(self.replaced, self.current, identity)
        self.current = identity
        return identity

    def _failed(self, error: LoadError) -> ReloadOutcome:
        self.reloads_failed += 1
        self.last_error = error
        return ReloadOutcome(self.current.revision if self.current else 0, error)

    def _content(self) -> bytes | None:
        """SHA-256 over the watched files and what the places outside of files say; None when one cannot be read."""
        total = hashlib.sha256()
        for path in self.watched():
            try:
                content = read_public_file(path)
            except KeyUnusable:
                return None
            total.update(hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest())
            total.update(hashlib.sha256(content).digest())
        for place in (self._source, self._credentials):
            # A source may be any object with load(): one that has nothing outside of files need not say so.
            outside = getattr(place, "fingerprint", bytes)()
            if outside is None:
                return None
            total.update(outside)
        return total.digest()


def _replaced(before: Replacements, old: Identity, new: Identity) -> Replacements:
    at = new.loaded_at
    if old.client_id != new.client_id or not old.client_secret.matches(new.client_secret.reveal()):
        before = replace(before, credentials=at)
    if old.key is None or new.key is None:
        return before
    if old.key.signer.spki_sha256 != new.key.signer.spki_sha256:
        return replace(before, key=at, former_key=old.key.signer.spki_sha256, certificate=at)
    return before if old.key.certificate == new.key.certificate else replace(before, certificate=at)


def _facts(identity: Identity) -> tuple[object, ...]:
    """What makes it another one."""
    key = identity.key
    certificate = key.certificate if key is not None else None
    return (identity.client_id, identity.client_secret.reveal(), key.signer.spki_sha256 if key is not None else "",
            certificate.fingerprint_sha256 if certificate is not None else "")


def sandbox_warning(loaded: LoadedKey, required_spki_sha256: str = SANDBOX_SPKI_SHA256) -> str | None:
    """A sentence when this is another key than the sandbox accepts.  No error, as an emulator may know another key."""
    if loaded.signer.spki_sha256 == required_spki_sha256:
        return None
    problem = PROBLEMS["not_the_sandbox_key"]
    return f"{problem.title} {problem.hint}"
