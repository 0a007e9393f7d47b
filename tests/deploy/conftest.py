"""What the tests of deploy/ compare with."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from proxy.serve.health import Health, pages


@pytest.fixture(scope="session")
def admin_paths() -> set[str]:
    """What the admin port answers to everybody, from the table that it serves by."""
    return {path.decode() for (method, path), page in pages(Health({}), CollectorRegistry(), dict).items()
            if method == b"GET" and page.access == "open"}
