"""What every test of the transaction needs: its policies in the store, and a decision out of it."""

from temporalio.testing import ActivityEnvironment

from activities.decide import DecideActivities
from activities.messages import DecideInput, Verdict
from rules.policies_file import load_policies
from store import policy_books
from store.pool import Pool
from support.policy import PolicyBook


async def decided(activities: DecideActivities, asked: DecideInput) -> Verdict:
    """Decide as a worker does, inside an activity."""
    verdict: Verdict = await ActivityEnvironment().run(activities.decide, asked)
    return verdict


async def shipped_policies(pool: Pool) -> PolicyBook:
    """The policies that ship, kept in the store as a worker keeps its own."""
    policies, form = load_policies()
    async with pool.connection() as conn:
        await policy_books.remember(conn, version=policies.version, body=form)
    return policies
