"""Requests sealed by a program that makes mistakes on demand; it shares no code with what it tests."""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

DATE = "Mon, 14 Aug 2023 06:25:45 GMT"
BARE = "(request-target) x-nordea-originating-host x-nordea-originating-date"
FULL = BARE + " content-type digest"
BODY = b'{"amount":"2.00"}'
SECRET, TOKEN = "9f8e7d6c-client-secret", "eyJhbGciOi-access-token"


def sha256(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


class Sealer:
    """Attributes are what a correct program would send; hooks spoil them."""

    def __init__(self, key, method="POST", target="/personal/v4/payments/domestic?a=b%2Fc", body=BODY):
        self.key, self.method, self.target, self.body = key, method, target, body
        content = method in ("POST", "PUT", "PATCH")
        self.listed = FULL if content else BARE
        self.fields = {"Host": "open.nordea.com", "X-IBM-Client-Id": "abc", "X-IBM-Client-Secret": SECRET,
                       "Authorization": f"Bearer {TOKEN}", "X-Nordea-Originating-Host": "open.nordea.com",
                       "X-Nordea-Originating-Date": DATE}
        if content:
            self.fields |= {"Content-Type": "application/json", "Digest": "SHA-256=" + sha256(body)}
        self.algorithm = "rsa-sha256"
        self.change = lambda text: text
        self.encoded = str.encode
        self.sign = lambda message: self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        self.encode = lambda raw: base64.b64encode(raw).decode()
        self.write = lambda header: header
        self.named = "Signature"

    def signing_string(self):
        fields = {name.lower(): value for name, value in self.fields.items()}
        lines = [f"(request-target): {self.method.lower()} {self.target}"]
        lines += [f"{name}: {fields.get(name, '')}" for name in self.listed.lower().split()[1:]]
        return "\n".join(lines)

    def headers(self):
        """(name, value) pairs in the order in which they are sent."""
        signature = self.encode(self.sign(self.encoded(self.change(self.signing_string()))))
        header = f'keyId="abc",algorithm="{self.algorithm}",headers="{self.listed}",signature="{signature}"'
        written = self.write(header)
        return [*self.fields.items(), *((self.named, value) for value in
                                        (written if isinstance(written, list) else [written]))]

    def message(self):
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body
