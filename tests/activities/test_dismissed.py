"""An outside action that a person has given up is not sent any more."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from temporalio.testing import ActivityEnvironment

from activities.messages import EffectFailure
from activities.outside import OutsideActivities
from settings import Settings
from store import effects
from store.pool import Pool, open_pool

KEY = "ticket/global/T-1/3/0"
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(database_url, max_size=2) as opened:
        yield opened


async def dismiss(pool: Pool, state: str) -> tuple[str, ...]:
    """Leave an action in `state`, and dismiss what its ticket has."""
    async with pool.connection() as conn:
        await effects.intend(conn, effects.EffectRow(KEY, "global", "T-1", "notify", {}, AT))
        await effects.settle(conn, action_key=KEY, state=state, error="HTTP404")
        return await effects.dismiss(
            conn, tenant="global", ticket_id="T-1", by="kim", reason="the team is gone"
        )


@pytest.mark.parametrize("state", ["intended", "sending", "sent"])
async def test_only_what_waits_for_a_person_is_dismissed(pool: Pool, state: str) -> None:
    assert await dismiss(pool, state) == ()


@pytest.mark.parametrize("state", ["parked", "failed", "unknown"])
async def test_what_is_dismissed_is_neither_sent_nor_given_up_again(pool: Pool, state: str) -> None:
    assert await dismiss(pool, state) == (KEY,)
    activities = OutsideActivities(pool, Settings(_env_file=None))
    await ActivityEnvironment().run(activities.perform, KEY)
    await ActivityEnvironment().run(activities.park, EffectFailure(KEY, "DeliveryError", True))
    async with pool.connection() as conn:
        assert await effects.stuck(conn, tenant="global") == ()
        cursor = await conn.execute(
            "select state, attempts, last_error, dismissed_by, dismissed_reason,"
            " dismissed_at is not null as dated from effects"
        )
        row = await cursor.fetchone()
    assert row is not None
    assert tuple(row.values()) == ("dismissed", 0, "HTTP404", "kim", "the team is gone", True)
