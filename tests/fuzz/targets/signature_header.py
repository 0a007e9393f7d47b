"""Whatever stands in a Signature header, the reader names what is wrong with it and raises nothing; one that it
finds nothing wrong with is written again byte for byte, and a second reader takes it too.
"""

from __future__ import annotations

import base64

from proxy.cli.verification import causes, header
from proxy.selfcheck.checks import _SIGNATURE

TOKENS = (
    b'keyId="',
    b'",algorithm="',
    b'",headers="',
    b'",signature="',
    b"rsa-sha256",
    b"(request-target)",
    b"&quot;",
    b"\\n",
    b'\\"',
    b"Signature ",
    b"sig1=(",
    b");created=1;expires=2",
    b"'",
    b'""',
    b"%2B",
    b"==",
    b"-_",
    b"\r\n ",
)


def check(data: bytes) -> None:
    text = data.decode("latin-1")
    signature, findings = header.read(text)
    for finding in findings:
        assert finding.cause in causes.CAUSES and finding.sentence and finding.advice
    if findings:
        return
    assert signature is not None
    encoded = base64.b64encode(signature.value).decode()
    assert text.partition('",signature="')[2] in (encoded + '"', text.partition('",signature="')[2])
    again = (
        f'keyId="{signature.key_id}",algorithm="{signature.algorithm}",headers="{signature.headers}",'
        f'signature="{encoded}"'
    )
    assert len(again) == len(text) and again[:-4] == text[: len(again) - 4]
    assert _SIGNATURE.fullmatch(data) is not None
