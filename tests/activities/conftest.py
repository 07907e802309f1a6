"""Fixtures of the tests of published packs."""

from collections.abc import AsyncIterator

import pytest

from store.pool import open_pool
from tests.activities.bench import Bench, bench_of


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    """Decisions on a fresh ledger, with at most three engines of published packs."""
    async with open_pool(database_url, max_size=8) as pool:
        made = await bench_of(pool, most=3)
        yield made
        await made.activities.published.settle()
        await made.engines.close()
