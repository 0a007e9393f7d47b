"""Every mistake that has a name, made by hand in a request that is otherwise right."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.cli.sealed_by_hand import BARE, BODY, DATE, FULL, Sealer, sha256

CONTENT_LINES = "\ncontent-type: application/json\ndigest: SHA-256=" + sha256(BODY)


def field(name, value):
    return lambda sealer: sealer.fields.update({name: value})


def dropped(*names):
    return lambda sealer: [sealer.fields.pop(name, None) for name in names]


def attributes(**values):
    return lambda sealer: [setattr(sealer, name, value) for name, value in values.items()]


def write(change):
    return attributes(write=change)


def change(function):
    """Spoils the signing string, on top of what spoils it already."""
    def spoil(sealer):
        before = sealer.change
        sealer.change = lambda text: function(before(text))
    return spoil


def replace(old, new):
    return change(lambda text: text.replace(old, new))


def within(old, change):
    """Spoils the first line of the signing string that begins with old."""
    return globals()["change"](lambda text: re.sub(rf"(?m)^{old}.*$", lambda match: change(match[0]), text, count=1))


def both(*spoils):
    return lambda sealer: [spoil(sealer) for spoil in spoils]


def in_get(spoil):
    def get(sealer):
        sealer.__init__(sealer.key, "GET", body=b"")
        spoil(sealer)
    return get


def sending(body, hashed, kind="application/json"):
    """A body, and what the digest is of."""
    return lambda sealer: (setattr(sealer, "body", body),
                           sealer.fields.update({"Content-Type": kind, "Digest": "SHA-256=" + sha256(hashed)}))


def digest(value):
    return field("Digest", value)


def wrapped(function):
    """Spoils the bytes that are signed."""
    def spoil(sealer):
        plain = sealer.encoded
        sealer.encoded = lambda text: function(plain(text))
    return spoil


def by(scheme, algorithm):
    return lambda sealer: setattr(sealer, "sign", lambda message: sealer.key.sign(message, scheme, algorithm))


@cache
def stranger():
    return rsa.generate_private_key(65537, 2048)


@cache
def curve():
    return ec.generate_private_key(ec.SECP256R1())


def unnamed(sealer):
    """RSA with PKCS#1 padding over the bare hash, as `openssl pkeyutl -sign` does without a digest."""
    numbers = sealer.key.private_numbers()
    size = (sealer.key.key_size + 7) // 8

    def sign(message):
        data = hashlib.sha256(message).digest()
        block = b"\0\1" + b"\xff" * (size - 3 - len(data)) + b"\0" + data
        return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(size, "big")

    sealer.sign = sign


def pss(hash_, salt):
    return by(padding.PSS(padding.MGF1(hash_), salt), hash_)


JSON = b'{"b": 1,"a":{"x":"\xc3\xa4/\xc3\xb6","n":2.0}}'
LINES = b'{\r\n  "b": 1\r\n}\r\n'
FORM = b"scope=a%20b&code=1"
FORM_TYPE = "application/x-www-form-urlencoded"

FORMS = {       # --- the Signature header
    "nothing_signed": [both(dropped("Digest"), write(lambda header: []))],
    "signature_missing": [write(lambda header: [])],
    "signature_twice": [write(lambda header: [header, header])],
    "signature_skipped": [write(lambda header: "SKIP_SIGNATURE_VALIDATION_FOR_SANDBOX")],
    "in_authorization": [both(dropped("Authorization"), attributes(named="Authorization"),
                              write(lambda header: "Signature " + header))],
    "line_break": [write(lambda header: header[:-80] + "\r\n " + header[-80:])],
    "scheme_prefix": [write(lambda header: "Signature " + header), write(lambda header: "signature: " + header)],
    "html_escapes": [write(lambda header: header.replace('"', "&quot;"))],
    "backslashes": [write(lambda header: header.replace('"', '\\"'))],
    "extra_quotes": [write(lambda header: f'"{header}"'), write(lambda header: header.replace('"', '""'))],
    "header_spaces": [write(lambda header: header.replace('",', '", '))],
    "parameters": [write(lambda header: ",".join(reversed(header.split(",")))),
                   write(lambda header: header.replace("keyId", "key")), write(lambda header: "nonsense"),
                   write(lambda header: header + ',created="1"'), write(lambda header: header.replace('"', "'")),
                   write(lambda header: header.replace('"', "")),
                   write(lambda header: header.replace("keyId", "keyid")),
                   write(lambda header: header.replace('",', '";'))],
    "signature_hex": [attributes(encode=bytes.hex), attributes(encode=lambda raw: raw.hex().upper()),
                      attributes(encode=lambda raw: raw.hex(":")),
                      attributes(encode=lambda raw: base64.b64encode(raw.hex().encode()).decode())],
    "signature_base64": [attributes(encode=lambda raw: base64.b64encode(raw).decode().rstrip("=")),
                         attributes(encode=lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")),
                         attributes(encode=lambda raw: quote(base64.b64encode(raw).decode())),
                         attributes(encode=lambda raw: base64.b64encode(raw).decode().replace("+", " ")),
                         attributes(encode=lambda raw: base64.encodebytes(raw).decode().replace("\n", "\\n")),
                         attributes(encode=lambda raw: base64.b64encode(base64.b64encode(raw)).decode())],
    "algorithm": [attributes(algorithm="hs2019"), attributes(algorithm="rsa-sha512")],
    "key_id": [field("X-IBM-Client-Id", "abd"),
               write(lambda header: header.replace('keyId="abc"', 'keyId="clientId"'))],
    # --- coverage
    "names_case": [attributes(listed=FULL.replace("digest", "Digest"))],
    "content_without_body": [in_get(both(attributes(listed=FULL), field("Content-Type", "application/json"),
                                         digest("SHA-256=" + sha256(b""))))],
    "content_not_covered": [attributes(listed=BARE)],
    "covered_missing": [attributes(listed=FULL.replace(" x-nordea-originating-date", ""))],
    "covered_extra": [attributes(listed=FULL + " x-ibm-client-id"), attributes(listed=FULL + " authorization")],
    "covered_order": [attributes(listed=FULL.replace("content-type digest", "digest content-type")),
                      attributes(listed=FULL.replace(" digest", "  digest"))],
    "covered_not_sent": [dropped("Digest"), dropped("X-Nordea-Originating-Date")],
    "header_twice": [field("X-NORDEA-ORIGINATING-DATE", DATE)],
    "body_not_allowed": [in_get(attributes(body=b"x"))],
    "method_case": [lambda sealer: setattr(sealer, "method", "post")],
    "double_slash": [attributes(target="/personal//v4/payments")],
    "host_form": [field("X-Nordea-Originating-Host", "open.nordea.com:443"),
                  field("X-Nordea-Originating-Host", "https://open.nordea.com"),
                  field("X-Nordea-Originating-Host", "Open.Nordea.com")],
    "host_differs": [field("X-Nordea-Originating-Host", "api.nordeaopenbanking.com")],
    "date_form": [field("X-Nordea-Originating-Date", "Mon, 14 Aug 2023 09:25:45 EEST"),
                  field("X-Nordea-Originating-Date", "Tue, 14 Aug 2023 06:25:45 GMT"),
                  field("X-Nordea-Originating-Date", "2023-08-14T06:25:45Z")],
    "header_missing": [dropped("X-IBM-Client-Secret"), dropped("X-IBM-Client-Id")],
    # --- digest
    "digest_hex": [digest("SHA-256=" + hashlib.sha256(BODY).hexdigest()), digest(hashlib.sha256(BODY).hexdigest()),
                   digest("SHA-256=" + base64.b64encode(hashlib.sha256(BODY).hexdigest().encode()).decode())],
    "digest_form": [digest(sha256(BODY)), digest("SHA-256=" + sha256(BODY).rstrip("=")),
                    digest("SHA-512=" + sha256(BODY)), digest("SHA256=" + sha256(BODY)),
                    digest(f'"SHA-256={sha256(BODY)}"'), digest("SHA-256=nonsense"),
                    digest("SHA-256=" + sha256(BODY).replace("+", "-").replace("/", "_"))],
    "digest_hash": [digest("SHA-512=" + base64.b64encode(hashlib.sha512(BODY).digest()).decode()),
                    digest("SHA-256=" + base64.b64encode(hashlib.sha1(BODY).digest()).decode())],
    "digest_empty": [sending(BODY, b""), sending(BODY, b"{}"), sending(BODY, b"undefined")],
    "digest_json": [sending(BODY, b'{"amount": "2.00"}'), sending(BODY, b'{\n    "amount": "2.00"\n}'),
                    sending(b'{\n  "amount": "2.00"\n}', BODY), sending(BODY, b'{\r\n  "amount": "2.00"\r\n}\r\n'),
                    sending(JSON, b'{"b":1,"a":{"x":"\xc3\xa4/\xc3\xb6","n":2.0}}'),
                    sending(JSON, b'{"a":{"n":2.0,"x":"\xc3\xa4/\xc3\xb6"},"b":1}'),
                    sending(JSON, b'{"b":1,"a":{"x":"\\u00e4\\/\\u00f6","n":2.0}}'),
                    sending(JSON, b'{"b":1,"a":{"x":"\xc3\xa4/\xc3\xb6","n":2}}'),
                    sending(JSON, json.dumps(json.loads(JSON), indent=2).encode()),
                    sending(JSON, repr(json.loads(JSON)).encode())],
    "digest_white_space": [sending(BODY, BODY + b"\n"), sending(BODY + b"\n", BODY), sending(BODY, BODY + b"\r\n"),
                           sending(b"a b\nc", b"abc", "text/plain"), sending(BODY, BODY + b"\0")],
    "digest_line_ends": [sending(LINES, LINES.replace(b"\r\n", b"\n")), sending(LINES.replace(b"\r\n", b"\n"), LINES)],
    "digest_charset": [sending(JSON, JSON.decode().encode("latin-1")), sending(JSON, b"\xef\xbb\xbf" + JSON),
                       sending(BODY, BODY.decode().encode("utf-16-le")), sending(BODY, BODY.decode().encode("utf-16")),
                       sending(JSON, JSON.decode().encode("ascii", "replace"))],
    "digest_form_fields": [sending(FORM, b"code=1&scope=a%20b", FORM_TYPE),
                           sending(FORM, b"scope=a b&code=1", FORM_TYPE),
                           sending(FORM, b"scope=a+b&code=1", FORM_TYPE),
                           sending(FORM, b'{"scope":"a b","code":"1"}', FORM_TYPE)],
    "digest_quoted": [sending(BODY, json.dumps(BODY.decode()).encode()), sending(BODY, b'"' + BODY + b'"')],
    "digest_encoded": [sending(BODY, base64.b64encode(BODY)), sending(BODY, quote(BODY).encode())],
    "digest_twice": [sending(BODY, hashlib.sha256(BODY).digest()),
                     sending(BODY, hashlib.sha256(BODY).hexdigest().encode()),
                     sending(BODY, sha256(BODY).encode()), sending(BODY, b"SHA-256=" + sha256(BODY).encode())],
    "digest_other_bytes": [sending(BODY, b"something else")],
}
STRINGS = {     # --- the signing string
    "upper_case_method": [replace("post ", "POST "), replace("post ", "Post ")],
    "trailing_newline": [change(lambda text: text + "\n"), change(lambda text: text + "\n\n"),
                         change(lambda text: text + "\\n")],
    "no_colon": [replace("(request-target): ", "(request-target) ")],
    "no_space": [replace(": ", ":"), replace("(request-target): ", "(request-target):"),
                 change(lambda text: text.replace(": ", ":").replace("(request-target):", "(request-target): "))],
    "signed_spaces": [replace(": ", " : "), replace(": ", ":  "), replace(": ", ":\t"), replace("\n", " \n"),
                      replace("\n", "\n    "), change(lambda text: text + " "), replace("post ", "post  ")],
    "crlf": [replace("\n", "\r\n")],
    "literal_backslash_n": [replace("\n", "\\n"), replace("\n", "\\r\\n"), replace("\n", "\\n\n")],
    "lines_joined": [replace("\n", ""), replace("\n", " "), replace("\n", ","), replace("\n", "\r"),
                     replace("\n", "\n\n")],
    "signed_quotes": [change(lambda text: f'"{text}"')],
    "signed_charset": [wrapped(lambda data: data.decode().encode("utf-16-le")),
                       wrapped(lambda data: b"\xef\xbb\xbf" + data)],
    "signed_base64": [wrapped(base64.b64encode)],
    "http_version": [within("\\(request-target", lambda line: line + " HTTP/1.1")],
    "signed_names_missing": [replace("(request-target): ", ""), change(lambda text: re.sub("(?m)^[^:\n]+: ", "", text)),
                             replace("(request-target)", "request-target")],
    "signed_names_other": [replace("x-nordea-originating-host", "host")],
    "signed_names_case": [change(lambda text: re.sub("(?m)^x-nordea-[a-z-]+", lambda m: m[0].title(), text)),
                          replace("\nx-nordea-originating-host", "\nX-Nordea-Originating-Host"),
                          change(lambda text: re.sub("(?m)^[a-z-]+", lambda m: m[0].upper(), text))],
    "no_query": [replace("?a=b%2Fc", "")],
    "other_query": [both(attributes(target="/x/y?b=1&a=2"), replace("?b=1&a=2", "?a=2&b=1"))],
    "no_leading_slash": [replace("post /", "post ")],
    "whole_url": [replace("post /", "post https://open.nordea.com/"), replace("post /", "post open.nordea.com/"),
                  replace("post /", "post http://open.nordea.com/")],
    "signed_double_slash": [replace("post /", "post //"), replace("/v4/", "//v4/")],
    "short_path": [replace("/personal/", "/"), replace("/personal/v4/", "/")],
    "long_path": [replace("post /", "post /corporate/")],
    "trailing_slash": [replace("/domestic?", "/domestic/?"),
                       both(attributes(target="/personal/v5/accounts/"), replace("accounts/", "accounts"))],
    "lower_case_path": [both(attributes(target="/personal/v5/Accounts/FI65"),
                             replace("Accounts/FI65", "accounts/fi65"))],
    "other_encoding": [replace("%2F", "/"), replace("%2F", "%2f"), replace("%2F", "%252F"),
                       both(attributes(target="/personal/v5/accounts"), replace("/accounts", "/accounts?"))],
    "no_method": [replace("post ", "")],
    "other_host": [replace("host: open.nordea.com", "host: api.nordeaopenbanking.com"),
                   replace("host: open.nordea.com", "host: localhost")],
    "signed_host_port": [replace("host: open.nordea.com", "host: open.nordea.com:443")],
    "signed_host_case": [replace("host: open.nordea.com", "host: OPEN.NORDEA.COM")],
    "signed_host_scheme": [replace("host: open.nordea.com", "host: https://open.nordea.com")],
    "signed_blank": [replace("host: open.nordea.com", "host: "), replace(DATE, "undefined"),
                     replace("digest: SHA-256=" + sha256(BODY), "digest: null")],
    "other_date": [replace("06:25:45", "06:25:44"), replace("06:25:45", "09:25:45"), replace("06:25:45", "06:27:12")],
    "signed_date_zone": [replace("GMT", "EEST"), replace("06:25:45 GMT", "09:25:45 EEST"), replace(" GMT", "")],
    "signed_date_format": [replace(DATE, "2023-08-14T06:25:45Z"), replace(DATE, "1691994345"),
                           replace(DATE, "Mon Aug 14 2023 06:25:45 GMT+0000 (Coordinated Universal Time)")],
    "other_content_type": [replace("application/json", "application/json; charset=utf-8"),
                           both(field("Content-Type", "application/json;charset=UTF-8"),
                                replace("application/json;charset=UTF-8", "application/json"))],
    "signed_digest": [replace("digest: SHA-256=", "digest: "), replace(sha256(BODY), sha256(b"")),
                      replace(sha256(BODY), sha256(b'{"amount": "2.00"}'))],
    "signed_order": [change(lambda text: "\n".join(reversed(text.split("\n")))),
                     change(lambda text: "\n".join([*text.split("\n")[:3], *text.split("\n")[:2:-1]])),
                     change(lambda text: "\n".join(text.split("\n")[index] for index in (0, 3, 1, 4, 2)))],
    "content_lines_missing": [replace(CONTENT_LINES, ""), replace("\ncontent-type: application/json", "")],
    "line_missing": [replace("\nx-nordea-originating-date: " + DATE, "")],
    "line_added": [change(lambda text: text + "\nx-ibm-client-id: abc")],
    "content_lines_added": [in_get(change(lambda text: f"{text}\ncontent-type: application/json\ndigest: SHA-256="
                                          + sha256(b"")))],
    "hashed_twice": [wrapped(lambda data: hashlib.sha256(data).digest()),
                     wrapped(lambda data: hashlib.sha256(data).hexdigest().encode()),
                     wrapped(lambda data: sha256(data).encode())],
}
KEYS = {        # --- how, and with which key
    "other_hash": [by(padding.PKCS1v15(), hashes.SHA512()), by(padding.PKCS1v15(), hashes.SHA1()), unnamed],
    "pss_padding": [pss(hashes.SHA256(), 32), pss(hashes.SHA512(), 64), pss(hashes.SHA256(), padding.PSS.MAX_LENGTH)],
    "other_string": [change(lambda text: "something else entirely")],
    "not_rsa": [attributes(sign=lambda message: hashlib.sha256(message).digest()),
                attributes(sign=lambda message: curve().sign(message, ec.ECDSA(hashes.SHA256())))],
    "another_key": [lambda sealer: setattr(sealer, "key", stranger())],
}
MISTAKES = {**FORMS, **STRINGS, **KEYS}
ELSEWHERE = {"plain_http", "demo_key", "not_the_demo_key", "key_not_pair"}
"""These have tests of their own: they need a URL or other keys."""

CASES = [(cause, spoil) for cause, spoils in MISTAKES.items() for spoil in spoils]
IDS = [f"{cause}-{number}" for cause, spoils in MISTAKES.items() for number in range(len(spoils))]


def spoiled(key, *spoils):
    """A Sealer with these mistakes."""
    sealer = Sealer(key)
    for spoil in spoils:
        spoil(sealer)
    return sealer
