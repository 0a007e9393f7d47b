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


def sha256(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


class Sealer:
    """Attributes are what a correct program would send; hooks spoil them."""

    def __init__(self, key, method="POST", target="/personal/v4/payments/domestic?a=b%2Fc", body=BODY):
        self.key, self.method, self.target, self.body = key, method, target, body
        content = method in ("POST", "PUT", "PATCH")
        self.listed = FULL if content else BARE
        self.fields = {"Host": "open.nordea.com", "X-IBM-Client-Id": "abc", "X-Nordea-Originating-Host":
                       "open.nordea.com", "X-Nordea-Originating-Date": DATE}
        if content:
            self.fields |= {"Content-Type": "application/json", "Digest": "SHA-256=" + sha256(body)}
        self.algorithm = "rsa-sha256"
        self.change = lambda text: text
        self.sign = lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        self.encode = lambda raw: base64.b64encode(raw).decode()
        self.write = lambda header: header

    def signing_string(self):
        fields = {name.lower(): value for name, value in self.fields.items()}
        lines = [f"(request-target): {self.method.lower()} {self.target}"]
        lines += [f"{name}: {fields.get(name, '')}" for name in self.listed.lower().split()[1:]]
        return "\n".join(lines)

    def message(self):
        signature = self.encode(self.sign(self.change(self.signing_string()).encode()))
        header = (f'keyId="abc",algorithm="{self.algorithm}",headers="{self.listed}",signature="{signature}"')
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{n}: {v}" for n, v in self.fields.items()),
                 f"Signature: {self.write(header)}"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body
