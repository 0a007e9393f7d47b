"""Keys that never leave a token (PKCS#11, OASIS Standard 2.40 and newer), an HSM's or a smart card's.

    settings.py     what the configuration says: module, token, key, PIN, certificate
    source.py       a KeySource: what the token holds -> admission -> a Signer whose key stays on the token
    thread.py       one thread owns a module, because two threads with a session each have hung and crashed modules
    token.py        in that thread: finding a token, one login, one session, reconnecting once
    objects.py      in that thread: keys and certificates on a session, signing
    failures.py     what a module answers, in words of proxy/errors

python-pkcs11, an optional dependency, is imported when a module is first used and nowhere else.
"""

from proxy.keys.pkcs11.settings import Pkcs11Key
from proxy.keys.pkcs11.source import Pkcs11Signer, Pkcs11Source

__all__ = ["Pkcs11Key", "Pkcs11Signer", "Pkcs11Source"]
