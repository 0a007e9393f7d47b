"""Every metric and label that deploy/monitoring asks for is one that a running proxy has."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.monitoring import OF_THE_SCRAPE, queries
from tests.e2e.test_operations_document import TEXT, WITH_TRACES, WITH_VAULT, WITH_WORKERS, eventful, everything_on


@pytest.fixture
async def proxy(bank, start_proxy, tmp_path):
    return await everything_on(bank, start_proxy, tmp_path)


async def live(bank, proxy) -> dict[str, set[str]]:
    """Sample name -> labels.  What is not here is read from a running proxy elsewhere: test_operations_document.py."""
    await eventful(bank, proxy)
    found: dict[str, set[str]] = {name: labels
                                   for name, (_, labels) in (WITH_VAULT | WITH_WORKERS | WITH_TRACES).items()}
    for family in text_string_to_metric_families((await proxy.admin("/metrics")).body.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


async def test_every_metric_and_label_that_is_asked_for_exists(bank, proxy):
    there = await live(bank, proxy)
    asked = 0
    for query in queries():
        of_query: set[str] = set()
        for metric, matchers in query.selectors():
            assert metric in there, (query.place, metric)
            assert {label for label, _, _ in matchers} <= there[metric] | OF_THE_SCRAPE, (query.place, metric)
            of_query |= there[metric]
            asked += 1
        if of_query:
            assert query.labels() <= of_query | OF_THE_SCRAPE, query.place
    assert asked > 50


def test_every_plain_value_that_is_matched_is_in_the_table_of_metrics():
    for query in queries():
        for metric, matchers in query.selectors():
            row = next(line for line in TEXT.splitlines()
                       if line.startswith(f"| `{re.sub('_bucket$', '', metric)}`"))
            for label, operator, value in matchers:
                if operator in ("=", "!=") and label not in ("code", "status_class"):
                    assert f"`{value}`" in row, (query.place, label, value)
