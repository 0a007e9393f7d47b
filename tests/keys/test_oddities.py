"""What is strange about credentials, without a word of them."""

from __future__ import annotations

import pytest

from proxy.core.diagnosis.evidence import ODDITIES
from proxy.core.secret import Secret
from proxy.keys.oddities import oddities

GOOD_ID = b"4a2b1c3d-5e6f-4708-8192-a3b4c5d6e7f8"


@pytest.mark.parametrize(("client_id", "secret", "found"), [
    (GOOD_ID, b"plain", ()), (b'"quoted"', b"'too'", ("id_quotes", "secret_quotes")),
    (b"two words", b"and more", ("id_space", "secret_space")),
    (b"id%0A", b"secret\\n", ("id_escape", "secret_escape")), (GOOD_ID, b"&quot;x", ("secret_escape",)),
    (GOOD_ID.replace(b"-", b""), b"plain", ("id_hyphens",)), (GOOD_ID, GOOD_ID, ("same",))])
def test_oddities(client_id, secret, found):
    assert oddities(client_id, Secret(secret)) == found
    assert set(found) <= set(ODDITIES)
