"""Hands the bytes that are about to be written to the self-check, and refuses those that it does not accept."""

from __future__ import annotations

import logging
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_der_x509_certificate

from proxy.core.signing import SigningRules
from proxy.errors import ProxyError
from proxy.keys.keyring import Identity
from proxy.keys.source import LoadedKey
from proxy.selfcheck import Demands, find_fault
from proxy.serve.counts import Counts

log = logging.getLogger(__name__)


def demands_of(rules: SigningRules) -> Demands:
    """What the profile and the route's settings ask of every request, as plain data for the self-check."""
    profile = rules.profile
    return Demands(
        covered=profile.covered, covered_with_content=profile.covered_with_content,
        content_methods=profile.content_methods, identity=tuple(name.lower() for name, _ in profile.injected),
        host_header=profile.host_header.lower(), date_header=profile.date_header.lower(), key_id=rules.key_id.encode(),
        algorithm=profile.algorithm.encode(), digest_prefix=profile.digest_prefix,
        canonical_forms=rules.form == "canonical", omit_empty=rules.empty_body == "omit", host=rules.host,
        authority=rules.authority, literal=profile.skip_signature if rules.skip else b"")


def public_key_of(key: LoadedKey | None) -> RSAPublicKey | None:
    """The certificate's, read from the certificate itself; without one the signer's."""
    if key is None:
        return None
    return _certified(key.certificate.der) if key.certificate is not None else key.public_key


@lru_cache(maxsize=64)
def _certified(der: bytes) -> RSAPublicKey | None:
    key = load_der_x509_certificate(der).public_key()
    return key if isinstance(key, RSAPublicKey) else None


class SelfVerify:
    """One route's."""

    __slots__ = ("_demands", "_failures", "_route")

    def __init__(self, route: str, rules: SigningRules, failures: Counts) -> None:
        """failures: by route."""
        self._route = route
        self._demands = demands_of(rules)
        self._failures = failures
        failures.add((route,), 0)       # there from the start, so that an alert sees the first one

    def require(self, data: bytes, identity: Identity | None, request_id: str) -> None:
        """data: one whole request.  Raises ProxyError("self_verify_failed"), which names the check."""
        end = data.find(b"\r\n\r\n") + 4
        key = public_key_of(identity.key) if identity is not None else None
        fault = find_fault(data[:end], memoryview(data)[end:], key, self._demands)
        if fault is not None:
            self._failures.add((self._route,))
            log.error("request %s on route %s was signed but not sent: its own verification failed: %s: %s",
                      request_id, self._route, fault.check, fault.sentence)
            raise ProxyError("self_verify_failed", f"{fault.check}: {fault.sentence.removesuffix('.')}")
