"""Every error that can leave by HTTP renders whole: code, status, hint, Proxy-Status, and whether it was sent."""

from __future__ import annotations

import json
import re
from http import HTTPStatus

import pytest

from proxy.errors import PROBLEMS, ProxyError
from proxy.serve.problems import line, problem

BY_HTTP = [row for row in PROBLEMS.values() if row.status]
# RFC 9209 section 2.3
ERROR_TYPES = {
    "dns_timeout", "dns_error", "destination_not_found", "destination_unavailable", "destination_ip_prohibited",
    "destination_ip_unroutable", "connection_refused", "connection_terminated", "connection_timeout",
    "connection_read_timeout", "connection_write_timeout", "connection_limit_reached", "tls_protocol_error",
    "tls_certificate_error", "tls_alert_received", "http_request_error", "http_request_denied",
    "http_response_incomplete", "http_response_timeout", "http_protocol_error", "proxy_internal_response",
    "proxy_internal_error", "proxy_configuration_error"}


def parsed(answer) -> dict[str, str]:
    lines = answer.fields.decode().split("\r\n")
    assert lines.pop() == ""
    fields = dict(one.split(": ", 1) for one in lines)
    assert len(fields) == len(lines) or lines.count('Proxy-Authenticate: Basic realm="signing-proxy"') == 1
    return fields


@pytest.mark.parametrize("row", BY_HTTP, ids=lambda row: row.code)
@pytest.mark.parametrize("sent", ["no", "maybe"])
def test_every_code_renders(row, sent):
    answer = problem(ProxyError(row.code, "this time"), "id-1", sent)
    fields, document = parsed(answer), json.loads(answer.body)
    assert answer.line == f"{row.status} {HTTPStatus(row.status).phrase}".encode()
    assert fields["Content-Type"] == "application/problem+json"
    assert fields["Content-Length"] == str(len(answer.body))
    assert fields["Cache-Control"] == "no-store"
    assert fields["Signing-Proxy-Upstream-Sent"] == document["upstream_sent"] == sent
    assert fields["Signing-Proxy-Request-Id"] == document["request_id"] == "id-1"
    status = re.fullmatch(r'signing-proxy; error=([a-z_]+); details="([a-z_0-9]+)"', fields["Proxy-Status"])
    assert status is not None
    assert status[1] in ERROR_TYPES
    assert status[2] == document["code"] == row.code
    assert document["type"] == f"urn:psd2-signing-proxy:problem:{row.code}"
    assert (document["status"], document["title"], document["detail"]) == (row.status, row.title, "this time")
    assert document["hint"].endswith(".")


@pytest.mark.parametrize("row", BY_HTTP, ids=lambda row: row.code)
def test_what_was_not_sent_is_never_called_uncertain(row):
    document = json.loads(problem(ProxyError(row.code), "id", "no").body)
    assert "may have acted" not in document["hint"]
    assert document["detail"]


@pytest.mark.parametrize(("code", "name", "value"), [
    ("client_unauthenticated", "WWW-Authenticate", 'Bearer realm="signing-proxy"'),
    ("method_not_supported", "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    ("overloaded", "Retry-After", "1"), ("pool_timeout", "Retry-After", "1")])
def test_what_its_status_demands_is_there(code, name, value):
    assert parsed(problem(ProxyError(code), "id", "no"))[name] == value


def test_an_error_without_a_status_leaves_as_500():
    assert problem(ProxyError("key_format"), "id", "no").line == b"500 Internal Server Error"


def test_a_status_line_has_its_phrase():
    assert line(431) == b"431 Request Header Fields Too Large"


def test_codes_titles_and_hints_are_sentences():
    for row in PROBLEMS.values():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", row.code)
        assert row.title.endswith("."), row.code
        assert row.hint.endswith("."), row.code
        assert row.status == 0 or row.proxy_status in ERROR_TYPES, row.code
