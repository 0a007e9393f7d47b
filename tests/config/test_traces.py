"""Where traces may be sent, and how log lines are asked for."""

from __future__ import annotations

import pytest

ROUTES = "routes: nordea\n"
PLACE = "traces.endpoint"
NO_COLLECTOR = "This is not the address of a collector. Write http://host:port or https://host:port."


@pytest.mark.parametrize(("traces", "place", "sentence"), [
    ("collector:4318", PLACE, NO_COLLECTOR), ("ftp://collector", PLACE, NO_COLLECTOR),
    ("http://", PLACE, NO_COLLECTOR), ("'http://collector:4318/?key=1'", PLACE, NO_COLLECTOR),
    ("'http://collector:99999'", PLACE, NO_COLLECTOR),
    ("http://user:pass@collector", PLACE,
     "A user name or password does not belong here. Put an Authorization header into headers_file."),
    ("{endpoint: 'http://collector:4318', headers_file: h}", PLACE,
     "The headers in headers_file would travel in clear. Write https:// instead of http://."),
    ("{endpoint: 'http://collector:4317/base', protocol: grpc}", PLACE,
     "A collector has no path where grpc is spoken. Write http://host:port or https://host:port."),
])
def test_what_cannot_be(problems, application, traces, place, sentence):
    assert problems(f"{application}{ROUTES}traces: {traces}") == [(place, sentence)]


@pytest.mark.parametrize("traces", [
    "http://collector:4318", "https://collector/base/v1/traces", "{}",
    "{endpoint: 'http://[::1]:4318', headers_file: h}",
    "{endpoint: 'https://collector', headers_file: h, sample_ratio: 0.1}"])
def test_what_can_be(read, application, traces):
    assert read(f"{application}{ROUTES}traces: {traces}").traces is not None


@pytest.mark.parametrize(("text", "flags", "form"), [
    ("", {}, "text"), ("structured_logs: true\n", {}, "json"), ("log_format: ecs\n", {}, "ecs"),
    ("log_format: text\nstructured_logs: true\n", {}, "text"), ("log_format: ecs\n", {"log_format": "otel"}, "otel")])
def test_how_the_log_is_written(read, application, text, flags, form):
    assert read(f"{application}{ROUTES}{text}", None, flags).log_lines == form
