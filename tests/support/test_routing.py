"""Ranking is total, fair and explained."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from support.routing import Candidate, Strategy, rank

SKILLS = ("hifi", "radio")
T0 = datetime(2026, 3, 2, tzinfo=UTC)
candidates = st.lists(
    st.builds(
        Candidate,
        agent_id=st.text("abcdef", min_size=1, max_size=3),
        load_units=st.decimals(0, 15, places=1),
        capacity_units=st.decimals(0, 15, places=1),
        idle_since=st.integers(0, 3).map(lambda s: T0 + timedelta(seconds=s)),
        kind_load=st.decimals(0, 9, places=1),
        kind_capacity=st.none() | st.decimals(0, 9, places=1),
        limited=st.booleans(),
        speaks=st.booleans(),
        skills=st.sets(st.sampled_from(SKILLS)).map(tuple),
        levels=st.dictionaries(st.sampled_from(SKILLS), st.integers(1, 5)),
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
    ranked, again = (rank(some, Decimal(1), strategy, needed=SKILLS) for some in (found, shuffled))
    assert ranked == again


@given(found=candidates, strategy=st.sampled_from(list(Strategy)))
def test_who_is_taken_has_room_and_who_is_not_is_told_why(
    found: list[Candidate], strategy: Strategy
) -> None:
    ranked = rank(
        found, Decimal(1), strategy, excluded={"a": "has the ticket now"}, needed=("hifi",)
    )
    assert len(ranked) == len(found)
    by_id = {candidate.agent_id: candidate for candidate in found}
    for place in ranked:
        one = by_id[place.agent_id]
        full = one.load_units + 1 > one.capacity_units
        full |= one.kind_capacity is not None and one.kind_load + 1 > one.kind_capacity
        fit = not full and not one.limited and "hifi" in one.skills and one.agent_id != "a"
        assert fit == (not place.rejected)
    rejected = [bool(place.rejected) for place in ranked]
    assert rejected == sorted(rejected)


def test_ties_go_to_the_longest_idle() -> None:
    twins = [
        Candidate(name, Decimal(2), Decimal(12), T0 + timedelta(seconds=idle))
        for name, idle in (("new", 50), ("old", 10))
    ]
    assert rank(twins, Decimal(1), Strategy.LEAST_LOADED)[0].agent_id == "old"


@given(found=candidates)
def test_the_best_skill_goes_first_then_the_least_loaded(found: list[Candidate]) -> None:
    by_id = {candidate.agent_id: candidate for candidate in found}
    fit = [
        by_id[place.agent_id]
        for place in rank(found, Decimal(1), Strategy.SKILL_MATCH, needed=SKILLS)
        if not place.rejected
    ]
    for better, worse in pairwise(fit):
        levels = better.level(SKILLS), worse.level(SKILLS)
        shares = [(one.load_units + 1) / one.capacity_units for one in (better, worse)]
        assert levels[0] > levels[1] or (levels[0] == levels[1] and shares[0] <= shares[1])


def test_among_equals_the_language_of_the_customer_goes_first_and_load_before_it() -> None:
    old = Candidate("old", Decimal(2), Decimal(12), T0)
    swede = Candidate("swede", Decimal(2), Decimal(12), T0 + timedelta(hours=1), speaks=True)
    free = Candidate("free", Decimal(1), Decimal(12), T0 + timedelta(hours=2))
    ranked = rank([old, swede, free], Decimal(1), Strategy.LEAST_LOADED)
    assert [place.agent_id for place in ranked] == ["free", "swede", "old"]
    ranked = rank([old, swede, free], Decimal(1), Strategy.ROUND_ROBIN)
    assert [place.agent_id for place in ranked] == ["old", "swede", "free"]
