"""Ranking is total, fair and explained."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from support.routing import Candidate, Strategy, rank

T0 = datetime(2026, 3, 2, tzinfo=UTC)
candidates = st.lists(
    st.builds(
        Candidate,
        agent_id=st.text("abcdef", min_size=1, max_size=3),
        load_units=st.decimals(0, 15, places=1),
        capacity_units=st.decimals(0, 15, places=1),
        idle_since=st.integers(0, 100).map(lambda s: T0 + timedelta(seconds=s)),
    ),
    unique_by=lambda c: c.agent_id,
    max_size=12,
)


@given(found=candidates, strategy=st.sampled_from(list(Strategy)), seed=st.randoms())
def test_the_order_does_not_depend_on_how_candidates_come(
    found: list[Candidate], strategy: Strategy, seed: st.DataObject
) -> None:
    shuffled = list(found)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random of hypothesis
    assert rank(found, Decimal(1), strategy) == rank(shuffled, Decimal(1), strategy)


@given(found=candidates, strategy=st.sampled_from(list(Strategy)))
def test_who_is_taken_has_room_and_who_is_not_is_told_why(
    found: list[Candidate], strategy: Strategy
) -> None:
    ranked = rank(found, Decimal(1), strategy, exclude="a")
    assert len(ranked) == len(found)
    for place in ranked:
        full = place.load_units + 1 > place.capacity_units
        assert bool(place.rejected) == (full or place.agent_id == "a")
    rejected = [bool(place.rejected) for place in ranked]
    assert rejected == sorted(rejected)


def test_ties_go_to_the_longest_idle() -> None:
    twins = [
        Candidate(name, Decimal(2), Decimal(12), T0 + timedelta(seconds=idle))
        for name, idle in (("new", 50), ("old", 10))
    ]
    assert rank(twins, Decimal(1), Strategy.LEAST_LOADED)[0].agent_id == "old"
