"""A mitmproxy add-on that signs like PROTOCOL section 1; it runs inside mitmdump and imports nothing of ours."""

import base64
import hashlib
import json
import os
from email.utils import formatdate
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

SETTINGS = json.loads(Path(os.environ["BENCH_SIGN"]).read_text())
KEY = serialization.load_pem_private_key(Path(SETTINGS["key_file"]).read_bytes(), None)
PADDING, SHA256 = padding.PKCS1v15(), hashes.SHA256()
HASHED = {"POST", "PUT", "PATCH"}


def request(flow):
    headers = flow.request.headers
    date = formatdate(usegmt=True)
    names = ["(request-target)", "x-nordea-originating-host", "x-nordea-originating-date"]
    values = [f"{flow.request.method.lower()} {flow.request.path}", SETTINGS["host"], date]
    if flow.request.method in HASHED:
        digest = "SHA-256=" + base64.b64encode(hashlib.sha256(flow.request.raw_content or b"").digest()).decode()
        headers["Digest"] = digest
        names += ["content-type", "digest"]
        values += [headers["Content-Type"], digest]
    base = "\n".join(f"{name}: {value}" for name, value in zip(names, values, strict=True))
    signature = base64.b64encode(KEY.sign(base.encode(), PADDING, SHA256)).decode()
    headers["X-IBM-Client-Id"] = SETTINGS["client_id"]
    headers["X-IBM-Client-Secret"] = SETTINGS["client_secret"]
    headers["X-Nordea-Originating-Host"] = SETTINGS["host"]
    headers["X-Nordea-Originating-Date"] = date
    headers["Signature"] = (f'keyId="{SETTINGS["client_id"]}",algorithm="rsa-sha256",'
                            f'headers="{" ".join(names)}",signature="{signature}"')
