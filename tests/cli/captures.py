"""The vectors as somebody would have captured them, and the surroundings of a child process."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = ROOT / "tests" / "vectors"
DATE = "Mon, 14 Aug 2023 06:25:45 GMT"
DOCUMENT = json.loads((FILES / "nordea.json").read_text(encoding="utf-8"))
VECTORS = DOCUMENT["vectors"]


def raw_message(vector, **changes):
    """The vector's request as it would be captured; changes replace headers by name, None removes one."""
    headers = {"Host": vector["request"]["host"], **vector["headers"], **changes}
    lines = [f"{vector['request']['method']} {vector['request']['request_target']} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([*lines, "", ""]).encode() + base64.b64decode(vector["request"]["body_base64"])


def clean_environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIGNING_PROXY_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **more}
