"""A connection to a fresh ledger."""

from collections.abc import AsyncIterator

import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from store.pool import Connection


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[Connection]:
    """A connection whose session speaks UTC, as those of the pool do."""
    connection: Connection = await AsyncConnection.connect(
        database_url, row_factory=dict_row, options="-c timezone=UTC"
    )
    async with connection:
        yield connection
