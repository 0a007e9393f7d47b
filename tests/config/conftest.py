"""A configuration as its operator meets it: text in, a Config or a list of places and sentences out."""

from __future__ import annotations

import pytest

from proxy.config.load import load
from proxy.errors import ConfigInvalid

APPLICATION = """\
applications:
  acme:
    client_id: id-1
    client_secret_file: secret
    key_file: key.pem
"""


@pytest.fixture
def read(tmp_path):
    """read(text, environ, flags): what load() makes of a file with this text."""

    def reading(text, environ=None, flags=None):
        file = tmp_path / "proxy.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(file, environ or {}, flags or {})

    return reading


@pytest.fixture
def problems(read):
    """problems(text, environ, flags): what is wrong with it; [] when nothing is."""

    def finding(text, environ=None, flags=None):
        try:
            read(text, environ, flags)
        except ConfigInvalid as error:
            return error.problems
        return []

    return finding


@pytest.fixture
def application():
    return APPLICATION
