"""The certificate authority that lets the proxy answer in a bank host's name to clients that trust it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.errors import KeyUnusable
from proxy.keys import ca_directory, trust
from proxy.keys.ca_chain import Chain, check_dates, check_hosts, read_chain, warnings_about
from proxy.keys.guarded import read_public_file, read_secret_file, shown
from proxy.keys.issuing import new_authority, new_leaf
from proxy.keys.serving import server_context

Clock = Callable[[], datetime]


class AuthoritySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the authority is: in a directory that this program keeps, or in two given files.

    directory: made when it is not there.  certificate_file: PEM, the issuer first, what clients trust last (it may be
    the same).  key_file: PEM, the issuer's.  allow_group_read: accept a key of mode 0440 or 0640, which Kubernetes
    gives with an fsGroup.  roots_file: what SSL_CERT_FILE names, if anything, for the exports.
    """

    directory: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    allow_group_read: bool = False
    roots_file: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file need each other")
        if (self.directory is None) == (self.certificate_file is None):
            raise ValueError("exactly one of directory and certificate_file is needed")


class Authority:
    """An authority that has passed every check, and the leaves it has signed.

    pem: what clients must trust; subject: its name.  fingerprint_sha256: hex, over its DER.  not_before, not_after:
    when all certificates of the chain are valid; aware, UTC.  hosts: for which leaf_context() answers.  warnings:
    sentences.
    """

    def __init__(self, settings: AuthoritySettings, chain: Chain, hosts: Sequence[str], *, clock: Clock,
                 warnings: Sequence[str] = ()) -> None:
        self.settings = settings
        self.hosts = tuple(hosts)
        self.pem = chain.anchor.public_bytes(Encoding.PEM)
        self.subject = chain.anchor.subject.rfc4514_string()
        self.not_before = max(certificate.not_valid_before_utc for certificate in chain.certificates)
        self.not_after = chain.not_after
        self.fingerprint_sha256 = chain.anchor.fingerprint(SHA256()).hex()
        self.warnings = tuple(warnings)
        self._chain = chain
        self._clock = clock
        self._contexts: dict[str, tuple[ssl.SSLContext, datetime]] = {}

    def leaf_context(self, host: str) -> ssl.SSLContext:
        """For the server side of a handshake in this host's name; about a millisecond when a leaf has to be made.

        host: one of `hosts`.  The leaf has its own key and lives for 7 days; a new one is made when less than a third
        is left.  The name the client asks for is left as `asked` on the SSLObject.
        Raises KeyError for any other host, KeyUnusable("ca_unusable") when the authority has expired meanwhile.
        """
        if host not in self.hosts:
            raise KeyError(host)
        now = self._clock()
        made = self._contexts.get(host)
        if made is None or now >= made[1]:
            made = self._contexts[host] = self._new_context(host, now)
        return made[0]

    def _new_context(self, host: str, now: datetime) -> tuple[ssl.SSLContext, datetime]:
        """-> the context, and when it is due for renewal: one that ends with its issuer cannot be bettered before."""
        check_dates(self._chain, now)
        leaf = new_leaf(host, self._chain.issuer, self._chain.key, now, self.not_after)
        try:
            context = server_context(leaf.certificate + self._chain.sent, leaf.key)
        except OSError:
            raise KeyUnusable("ca_unusable", "no leaf could be handed to the TLS library") from None
        capped = leaf.not_after >= self.not_after.replace(microsecond=0)
        return context, leaf.not_after if capped else leaf.not_after - (leaf.not_after - now) / 3


def load_or_make(settings: AuthoritySettings, hosts: Sequence[str], *, clock: Clock) -> Authority:
    """At the proxy's start: as load(), but an empty directory gets an authority, and exports that are out of date anew.

    Blocks for some ten milliseconds.  Raises KeyUnusable as load() does.
    """
    directory = settings.directory
    if directory is None:
        return load(settings, hosts, clock=clock)
    ca_directory.prepare(directory)
    with ca_directory.locked(directory) as writable:
        if not _has_authority(directory):
            if not writable:
                raise KeyUnusable("ca_directory_unusable", f"{shown(directory)} may not be written to")
            _make(directory, hosts, clock())
        authority = load(settings, hosts, clock=clock)
        return _with_exports(authority, directory)


def load(settings: AuthoritySettings, hosts: Sequence[str], *, clock: Clock) -> Authority:
    """Reads and checks; writes nothing.  hosts: DNS names and IP addresses, at least one.  clock: aware now.

    Raises KeyUnusable: ca_missing, ca_unusable, ca_not_for_host, key_unreadable, key_permissions, key_pair_mismatch,
    certificate_not_yet_valid.
    """
    chain = _given(settings) if settings.directory is None else _kept(settings.directory, settings)
    check_dates(chain, clock())
    check_hosts(chain, hosts)
    warnings = warnings_about(chain, hosts, clock())
    if settings.directory is not None and ca_directory.open_to_others(settings.directory):
        warnings += ("Others on this machine may write into ca_directory, and so give clients another CA. Make it this "
                     "user's own with 'chown' and 'chmod go-w', or name a directory below it, which is then made so.",)
    return Authority(settings, chain, hosts, clock=clock, warnings=warnings)


def make_anew(settings: AuthoritySettings, hosts: Sequence[str], *, clock: Clock) -> Authority:
    """A new authority in the directory, whatever was there; clients that trust the old one have to be given this one.

    Raises ValueError when the settings name files, KeyUnusable: ca_directory_unusable.
    """
    directory = settings.directory
    if directory is None:
        raise ValueError("an authority that was given cannot be made")
    ca_directory.prepare(directory)
    with ca_directory.locked(directory) as writable:
        if not writable:
            raise KeyUnusable("ca_directory_unusable", f"{shown(directory)} may not be written to")
        _make(directory, hosts, clock())
        return _with_exports(load(settings, hosts, clock=clock), directory)


def _has_authority(directory: str) -> bool:
    return os.path.lexists(os.path.join(directory, ca_directory.CERTIFICATE))


def _make(directory: str, hosts: Sequence[str], now: datetime) -> None:
    made = new_authority(hosts, now)
    ca_directory.clear_unfinished(directory)
    ca_directory.remove(directory, ca_directory.CERTIFICATE)
    ca_directory.write(directory, ca_directory.KEY, made.key, ca_directory.SECRET_MODE)
    ca_directory.write(directory, ca_directory.ISSUER, made.issuer, ca_directory.PUBLIC_MODE)
    ca_directory.write(directory, ca_directory.CERTIFICATE, made.anchor, ca_directory.PUBLIC_MODE)


def _kept(directory: str, settings: AuthoritySettings) -> Chain:
    if not _has_authority(directory):
        raise KeyUnusable("ca_missing", shown(directory))
    anchor, issuer, key = (os.path.join(directory, name) for name in (
        ca_directory.CERTIFICATE, ca_directory.ISSUER, ca_directory.KEY))
    chain = read_chain(read_public_file(issuer) + read_public_file(anchor),
                       read_secret_file(key, allow_group_read=settings.allow_group_read), shown(directory))
    if len(chain.certificates) != 2:
        raise KeyUnusable("ca_unusable", f"{shown(directory)} holds other certificates than this program puts there")
    return chain


def _given(settings: AuthoritySettings) -> Chain:
    certificate, key = settings.certificate_file, settings.key_file
    assert certificate is not None
    assert key is not None
    return read_chain(read_public_file(certificate),
                      read_secret_file(key, allow_group_read=settings.allow_group_read), shown(certificate))


def _with_exports(authority: Authority, directory: str) -> Authority:
    """Exports are for others' convenience: that they cannot be written is no reason not to start."""
    try:
        trust.write_exports(authority, directory)
    except KeyUnusable as error:
        authority.warnings += (f"The exports of the CA are not up to date. {error}",)
    return authority
