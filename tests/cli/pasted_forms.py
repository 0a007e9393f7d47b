"""One request as its owner might paste it: written by hand from what curl, browsers and Postman produce."""

from __future__ import annotations

import base64
import json
import re
import shlex


def host_of(headers):
    return next((value for name, value in headers if name.lower() == "host"), "open.nordea.com")


def without_host(headers):
    return [(name, value) for name, value in headers if name.lower() != "host"]


def url_of(sealer, headers):
    return f"https://{host_of(headers)}{sealer.target}"


def raw(sealer, headers):
    head = [f"{sealer.method} {sealer.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*head, "", ""]).encode() + sealer.body


def bare_feeds(sealer, headers):
    head, _, body = raw(sealer, headers).partition(b"\r\n\r\n")
    return head.replace(b"\r\n", b"\n") + b"\n\n" + body


def codegen_http(sealer, headers):
    """Postman's "Generate code", HTTP: a length, and no line break at the end."""
    return raw(sealer, [*headers, ("Content-Length", str(len(sealer.body)))])


def curl(sealer, headers, quoted, joint, data="--data-raw", start="curl --location --request"):
    parts = [f"{start} {sealer.method} {quoted(url_of(sealer, headers))}"]
    parts += [f"--header {quoted(f'{name}: {value}')}" for name, value in without_host(headers)]
    parts += [f"{data} {quoted(sealer.body.decode('utf-8'))}"] if sealer.body else []
    return joint.join(parts).encode()


def curl_single(sealer, headers):
    return curl(sealer, headers, lambda text: "'" + text.replace("'", "'\\''") + "'", " \\\n")


def curl_double(sealer, headers):
    def quoted(text):
        for character in '\\"$`':
            text = text.replace(character, "\\" + character)
        return f'"{text}"'
    return b"user@host:~$ " + curl(sealer, headers, quoted, " \\\n  ", start="curl -v -X")


def curl_ansi(sealer, headers):
    """What Chrome writes where a text holds line breaks or an exclamation mark."""
    def quoted(text):
        escaped = "".join(f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) > 126 or c == "!" else
                          f"\\{c}" if c in "\\'" else c for c in text)
        return f"$'{escaped}'"
    return curl(sealer, headers, quoted, " \\\n  ", start="curl -X")


def curl_one_line(sealer, headers):
    return b"# as it failed\n" + curl(sealer, headers, shlex.quote, " ", start="curl -sSiX", data="-d") + b" | jq .\n"


def curl_cmd(sealer, headers):
    """What Chrome writes for cmd.exe: every quote and special character has its caret."""
    def quoted(text):
        text = re.sub(r'(\\*)"', r'\1\1\\"', text)
        text = "".join(f"^{c}" if c in '"\\%^&|<>()' else "^\n\n" if c == "\n" else c for c in text)
        return f'^"{text}^"'
    return curl(sealer, headers, quoted, " ^\r\n", start="curl -X")


def curl_powershell(sealer, headers):
    return b"PS C:\\Users\\x> " + curl(sealer, headers, lambda text: "'" + text.replace("'", "''") + "'", " `\r\n  ",
                                       start="curl.exe -X")


def invoke(sealer, headers):
    """What Chrome writes for PowerShell."""
    def quoted(text):
        text = "".join(f"`{c}" if c in '`"$' else f"$([char]{ord(c)})" if ord(c) < 32 or ord(c) > 126 else c
                       for c in text)
        return f'"{text}"'
    pairs = "\n".join(f"  {quoted(name)}={quoted(value)}" for name, value in without_host(headers))
    parts = [f"Invoke-WebRequest -UseBasicParsing -Uri {quoted(url_of(sealer, headers))} `",
             f"-Method {quoted(sealer.method)} `", f"-Headers @{{\n{pairs}\n}}"]
    if sealer.body:
        parts[-1] += " `"
        parts.append(f"-Body {quoted(sealer.body.decode())}")
    return "\n".join(parts).encode()


def rest_method(sealer, headers):
    """What Postman generates for PowerShell."""
    lines = ['$headers = New-Object "System.Collections.Generic.Dictionary[[String],[String]]"']
    lines += [f'$headers.Add("{name}", "{value.replace("`", "``").replace(chr(34), "`" + chr(34))}")'
              for name, value in without_host(headers)]
    lines += ["", f'$body = @"\n{sealer.body.decode()}\n"@', ""] if sealer.body else [""]
    lines += [f"$response = Invoke-RestMethod '{url_of(sealer, headers)}' -Method '{sealer.method}' -Headers $headers"
              + (" -Body $body" if sealer.body else ""), "$response | ConvertTo-Json"]
    return "\n".join(lines).encode()


def entry(sealer, headers):
    request = {"method": sealer.method, "url": url_of(sealer, headers), "httpVersion": "HTTP/1.1",
               "headers": [{"name": name, "value": value} for name, value in headers],
               "queryString": [], "cookies": [], "headersSize": -1, "bodySize": len(sealer.body)}
    if sealer.body:
        request["postData"] = {"mimeType": "application/json", "text": sealer.body.decode()}
    return {"startedDateTime": "2023-08-14T06:25:45.000Z", "time": 50, "request": request,
            "response": {"status": 401, "content": {"text": "{}"}}}


def har(sealer, headers):
    """A browser's: other requests stand around it, and names are in lower case as with HTTP/2."""
    other = {"request": {"method": "GET", "url": "https://example.com/", "headers": []}}
    blob = {"request": {"method": "GET", "url": "blob:https://example.com/1", "headers": []}}
    mine = entry(sealer, [(name.lower(), value) for name, value in headers])
    return json.dumps({"log": {"version": "1.2", "entries": [other, blob, mine, other]}}, indent=2).encode()


def har_entry(sealer, headers):
    one = entry(sealer, headers)
    if sealer.body:
        one["request"]["postData"] |= {"text": base64.b64encode(sealer.body).decode(), "encoding": "base64"}
    return b"\xef\xbb\xbf" + json.dumps(one).encode()


ANSWER = ("HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n\r\n"
          '{"error":{"failures":[{"code":"error.signature.invalid"}]}}')


def postman_raw(sealer, headers):
    """The console with "Show raw log"."""
    length = [("Content-Length", str(len(sealer.body)))] if sealer.body else []
    before = "GET /ping HTTP/1.1\r\nHost: example.com\r\n\r\nHTTP/1.1 200 OK\r\n\r\npong\r\n\r\n"
    return before.encode() + raw(sealer, [*headers, *length]) + b"\r\n\r\n" + ANSWER.encode()


def postman_copy(sealer, headers):
    """The console's copy button."""
    grouped = {}
    for name, value in headers:
        grouped.setdefault(name, []).append(value)
    shown = {name: values[0] if len(values) == 1 else values for name, values in grouped.items()}
    document = {"Network": {"addresses": {"remote": {"address": "192.0.2.1", "port": 443}}, "tls": {"reused": True}},
                "Request Headers": shown, "Request Body": sealer.body.decode(),
                "Response Headers": {"content-type": "application/json"}, "Response Body": "{}"}
    if not sealer.body:
        del document["Request Body"]
    return f"\n{sealer.method} {url_of(sealer, headers)}: {json.dumps(document, indent=2)}\n".encode()


def postman_lines(sealer, headers):
    """The opened entry, selected with the mouse."""
    lines = [f"▼{sealer.method} {url_of(sealer, headers)}", "401", "312 ms", "▶Network", "▼Request Headers"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += ["▼Request Body", sealer.body.decode()] if sealer.body else []
    return "\n".join([*lines, "▶Response Headers", "▼Response Body", '{"error":{}}', ""]).encode()


def postman_old(sealer, headers):
    """The same of older consoles, which quote."""
    lines = [f"{sealer.method} {url_of(sealer, headers)}", "▼Request Headers:"]
    lines += [f"  {name.lower()}:{json.dumps(value)}" for name, value in headers]
    lines += ["▼Request Body:", json.dumps(sealer.body.decode())] if sealer.body else []
    return "\n".join([*lines, "▶Response Headers:", "▶Response Body:", ""]).encode()


FORMS = {form.__name__: form for form in (
    raw, bare_feeds, codegen_http, curl_single, curl_double, curl_ansi, curl_one_line, curl_cmd, curl_powershell,
    invoke, rest_method, har, har_entry, postman_raw, postman_copy, postman_lines, postman_old)}


def kind_of(form):
    """What `--format` calls it; Postman's raw log is HTTP."""
    if form.startswith(("curl", "invoke", "rest")):
        return "curl"
    return form.partition("_")[0] if form.startswith("har") or form in ("postman_copy", "postman_lines",
                                                                        "postman_old") else "http"
