"""Draws docs/dashboard.svg: two minutes of a proxy, scraped by Prometheus, asked by the dashboard's queries.

    python -m tests.deploy.picture          (Debian: apt-get install prometheus)

Grafana draws the same panels in its own way.  What happens in these minutes is told by `events`.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import yaml

from proxy.emulator import Authority
from proxy.emulator.options import CLIENT_ID
from tests.deploy.drawing import Panel, drawn
from tests.deploy.manifests import ROOT
from tests.deploy.monitoring import MONITORING, dashboard
from tests.deploy.pod import asked, until
from tests.deploy.podlike import INSIDE, bank, control, namespace, raise_loopback

PICTURE = ROOT / "docs" / "dashboard.svg"
SECONDS, PROMETHEUS = 120, 9099
SHOWN = ("Calls by status", "Refused or failed here, by code", "Refused by the bank, by its code", "Uncertain outcomes",
         "Whole call", "The operation with the key", "Connections to banks", "Lateness of the event loop")


def main() -> int:
    if shutil.which("prometheus") is None:
        print("Prometheus is missing (Debian: apt-get install prometheus)", file=sys.stderr)
        return 1
    if INSIDE not in os.environ:
        return subprocess.run([*namespace(), sys.executable, "-m", "tests.deploy.picture"], cwd=ROOT, check=False,
                              env={**os.environ, INSIDE: "1", "PYTHONPATH": str(ROOT)}).returncode
    raise_loopback()
    with tempfile.TemporaryDirectory() as folder, bank(Path(folder) / "bank"), proxy(Path(folder)), \
            prometheus(Path(folder)):
        began = time.time()
        traffic(Path(folder))
        panels = [panel(title, began, time.time()) for title in SHOWN]
    PICTURE.write_text(drawn(panels, f"{SECONDS} seconds of a proxy in front of the emulator, asked by the queries of "
                                     "deploy/monitoring/dashboard.json (python -m tests.deploy.picture)"))
    print(f"written: {PICTURE.relative_to(ROOT)}")
    return 0


# --- what runs

@contextmanager
def running(command: list[str], ready: Callable[[], bool], what: str) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        until(lambda: process.poll() is not None or answers(ready), what)
        assert process.poll() is None, f"{what} did not start"
        yield
    finally:
        process.terminate()
        process.wait(30)


def answers(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except OSError:
        return False


def proxy(folder: Path) -> contextmanager:
    made = folder / "bank"
    application = {"client_id": CLIENT_ID, "client_secret_file": str(made / "client_secret"),
                   "key_file": str(made / "qsealc.key"), "certificate_file": str(made / "qsealc.crt")}
    config = {"applications": {"payments": application}, "upstream_ca_file": str(made / "ca.pem"), "timed_reload": 1,
              "routes": [{"profile": "nordea", "upstream": "https://127.0.0.1:9443", "host": "open.nordea.com"}]}
    (folder / "proxy.json").write_text(json.dumps(config))
    return running([sys.executable, "-m", "proxy", "run", "--quiet", "--config-file", str(folder / "proxy.json")],
                   lambda: asked(9090, "GET", "/readyz")[0] == 200, "the proxy")


def prometheus(folder: Path) -> contextmanager:
    scrape = {"job_name": "signing-proxy", "static_configs": [{"targets": ["127.0.0.1:9090"]}]}
    config = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "scrape_configs": [scrape],
              "rule_files": [str(MONITORING / "rules.yaml")]}
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    return running(["prometheus", f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data",
                    f"--web.listen-address=127.0.0.1:{PROMETHEUS}"],
                   lambda: asked(PROMETHEUS, "GET", "/-/ready")[0] == 200, "Prometheus")


# --- what happens

def traffic(folder: Path) -> None:
    """Four callers for SECONDS, and the events beside them."""
    end = time.monotonic() + SECONDS
    callers = [threading.Thread(target=caller, args=(number, end)) for number in range(4)]
    for thread in callers:
        thread.start()
    began = time.monotonic()
    for at, event in events(folder):
        time.sleep(max(0.0, began + at - time.monotonic()))
        event()
    for thread in callers:
        thread.join()


def caller(number: int, end: float) -> None:
    while time.monotonic() < end:
        if number:
            call("GET", f"/personal/v5/accounts?caller={number}")
        else:
            call("POST", "/personal/v4/payments/domestic", b'{"amount": "2.00", "currency": "EUR"}')
            call("GET", "/personal//v5/accounts")
        time.sleep(0.04 + 0.02 * number)


def call(method: str, path: str, body: bytes | None = None) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=20)
    connection.request(method, path, body, {"Authorization": "Bearer demo", "Content-Type": "application/json"})
    connection.getresponse().read()
    connection.close()


def events(folder: Path) -> list[tuple[float, Callable[[], object]]]:
    """(second, what happens): the bank slows down, refuses everybody, loses answers, and knows another certificate."""
    def fault(times: int, **fields: object) -> Callable[[], object]:
        return lambda: control("POST", "/faults", json.dumps({**fields, "times": times}).encode())

    def certificate(pem: bytes) -> Callable[[], object]:
        return lambda: control("POST", f"/certificate?client_id={CLIENT_ID}", pem)

    stranger = Authority().seal()
    known = (folder / "bank" / "qsealc.crt").read_bytes()
    return [(20, fault(60, kind="delay", seconds=0.3)), (45, fault(200, kind="too_many")),
            (65, fault(4, kind="close_after", method="POST")), (80, certificate(stranger.certificate_pem)),
            (95, certificate(known))]


# --- what Prometheus has seen

def panel(title: str, began: float, ended: float) -> Panel:
    (found,) = [one for one in dashboard()["panels"] if one["title"] == title]
    lines = {}
    for target in found["targets"]:
        expr = target["expr"].replace("$__rate_interval", "5s").replace("$job", ".*").replace("$route", ".*")
        query = urlencode({"query": expr, "start": began + 5, "end": ended, "step": 1})
        status, answer = asked(PROMETHEUS, "GET", f"/api/v1/query_range?{query}")
        assert status == 200, answer
        for series in json.loads(answer)["data"]["result"]:
            points = [(float(at) - began, float(value)) for at, value in series["values"] if value != "NaN"]
            lines[named(target["legendFormat"], series["metric"])] = points
    return Panel(title, found["fieldConfig"]["defaults"]["unit"], lines, SECONDS)


def named(legend: str, labels: dict[str, str]) -> str:
    for label, value in labels.items():
        legend = legend.replace("{{" + label + "}}", value)
    return legend


if __name__ == "__main__":
    sys.exit(main())
