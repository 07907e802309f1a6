"""Domains against brute force: every value of small pools, with one on each side of every limit."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.comparing import passes
from rules.conditions import ops_of
from rules.domains import Domain, domain_of
from rules.pack import Op, Test
from support.situation import CATALOGUE
from support.subjects import FactType

NAMED: dict[str, tuple[Any, ...]] = {
    "owner_set": (False, True),
    "priority": ("low", "normal", "high"),
    "reopen_count": (0, 1, 2, 3),
    "age_s": (999_999, 1_000_000, 1_000_001),
    "tier": ("", "a", "ab", "b"),
    "tags": ("a", "ab"),
    "local_time": (0, 1, 86_399),
}
PATTERNS = ("a", "^a", "b$", "")
POOLS: dict[str, tuple[Any, ...]] = {
    **NAMED,
    "priority": CATALOGUE["priority"].choices,
    "reopen_count": tuple(range(-1, 5)),
    "age_s": tuple(range(999_998, 1_000_003)),
    "tier": ("", "a", "ab", "b", "ba", "c", "xabx"),
    "local_time": (0, 1, 2, 86_398, 86_399),
    "tags": tuple(frozenset(some) for some in ((), ("a",), ("ab",), ("a", "ab"), ("c",))),
}

Literal = tuple[Test, bool]


def literals(fact: str) -> st.SearchStrategy[list[Literal]]:
    """Up to four comparisons of one fact, each with how it is to come out."""
    ops = st.sampled_from(sorted(ops_of(CATALOGUE[fact].type)))
    value = st.sampled_from(NAMED[fact])
    pattern = st.sampled_from(PATTERNS)
    tests = ops.flatmap(
        lambda op: st.lists(
            pattern if op is Op.MATCHES else value, min_size=1, max_size=3 if op is Op.IN else 1
        ).map(lambda values: Test(fact, op, tuple(values)))
    )
    if CATALOGUE[fact].type is FactType.SET:  # `exists` compares it whole
        tests = tests | st.sampled_from([Test(fact, op, (frozenset(),)) for op in (Op.EQ, Op.NE)])
    return st.lists(st.tuples(tests, st.booleans()), max_size=4)


def narrowed(fact: str, some: list[Literal]) -> Domain:
    domain = domain_of(fact)
    for test, wanted in some:
        domain = domain.narrowed(test, wanted=wanted)
    return domain


def values(fact: str, some: list[Literal]) -> set[Any]:
    return {v for v in POOLS[fact] if all(passes(test, v) is wanted for test, wanted in some)}


@pytest.mark.parametrize("fact", POOLS)
@given(st.data())
def test_a_domain_admits_what_passes_and_never_hides_a_value(
    fact: str, data: st.DataObject
) -> None:
    one, other = data.draw(literals(fact)), data.draw(literals(fact))
    domain, wider = narrowed(fact, one), narrowed(fact, other)
    assert {v for v in POOLS[fact] if domain.admits(v)} == values(fact, one)
    if domain.empty:
        assert not values(fact, one)
    if domain.within(wider):
        assert values(fact, one) <= values(fact, other)


@pytest.mark.parametrize("op", [Op.LT, Op.LE, Op.GT, Op.GE])
@pytest.mark.parametrize("wanted", [True, False])
def test_a_limit_belongs_to_one_side_only(op: Op, wanted: bool) -> None:
    test = Test("reopen_count", op, (2,))
    one, other = (narrowed("reopen_count", [(test, w)]) for w in (wanted, not wanted))
    assert one.admits(2) is not other.admits(2)
    assert not one.within(other)
    assert one.within(one)
