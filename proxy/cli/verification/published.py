"""The sandbox verifies with one key only, whose private half the bank prints in its developer documentation."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from proxy.cli.verification.seal import KnownKey

# SubjectPublicKeyInfo, DER.
_DEMO = """
MIIBojANBgkqhkiG9w0BAQEFAAOCAY8AMIIBigKCAYEAyQYYtwon+ZOF9hRyWPFJZbKu9C4AbX46TSmsUcLon7x7pMx9H3jk8mwIcQNF
szx4Mx8m3iw83zpM4DmQpvprdP8+Le0sSB8d6k8X1gF4KTv1G9SNb7+Qf33jOToMUDy0t3LkypkoMupMmBStkVnV6mGDj6S+cIozLlBs
SoKzXtnJhvANLi+zAMWMr1OkOw5PUhwPu9HyhN8YnuPvWBvXEhb08tMoYpvRCgP62IIA7qjpc8XfNIDHJC2wjLIyhgjzEl4tAOEEOSz7
12cKCsnxOnICioRK0ceN9SS40bWqxbWXvMGjrG08Ep35q2E0zVZ4S0yar0THhS/cY+RZnrEmoG3trp3g6g7lyRf3BqN4t0QiY+fssyi0
h+eBkZQl4Hx8QZev5AsRX/A73Px9R88kVVHNxs/FQI9kWP08/+7PGxBkOfM+VxxAt4wiWTP/ZngPYRlWlAV3yIhxVtIh36Ngm2Vb1QLc
DKYeuqTZasBsed5OIJA+RcjpR54VS8Uk76HFAgMBAAE=
"""


def demo_key() -> KnownKey:
    """The public half."""
    key = load_der_public_key(base64.b64decode(_DEMO))
    assert isinstance(key, RSAPublicKey)
    return KnownKey("the sandbox's published demo key", key, "demo")
