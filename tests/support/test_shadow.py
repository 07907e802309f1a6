"""Policies that can never match because of earlier ones: held against all tickets."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from support import shadow
from support.model import Channel, Priority
from support.policy import Conditions, Traits
from support.shadow import shadowing

EACH_PRIORITY = [{"priorities": {priority}} for priority in Priority]
GOLD_OR_NOT = [{"tiers": {"gold"}, "tags": {"a"}}, {"tiers": {"gold"}, "tags": {"b"}}]


def when(**traits: Iterable[Any]) -> Conditions:
    return Conditions(**{name: frozenset(values) for name, values in traits.items()})


def shadows(later: dict[str, Any], *earlier: dict[str, Any]) -> tuple[int, ...]:
    return shadowing(when(**later), [when(**one) for one in earlier])


@pytest.mark.parametrize(
    ("first", "second", "covered"),
    [
        ({}, {"tiers": {"a"}}, True),
        ({"tiers": {"a"}}, {}, False),
        ({"tags": {"a", "b"}}, {"tags": {"a"}}, True),
        ({"tags": {"a"}}, {"tags": {"a", "b"}}, False),
        ({"tiers": {"a"}}, {"tiers": {"a"}, "teams": {"t"}}, True),
        ({"tiers": {"a"}, "teams": {"t"}}, {"tiers": {"a"}}, False),
        ({"priorities": set(Priority)}, {"tiers": {"a"}}, True),
        ({"channels": set(Channel)}, {}, True),
        ({"channels": set(Channel) - {Channel.API}}, {}, False),
        ({"teams": {""}}, {"teams": {""}}, True),
        ({"teams": {""}}, {"tiers": {"a"}}, False),
    ],
)
def test_one_policy_shadows_what_it_matches_all_of(
    first: dict[str, Any], second: dict[str, Any], *, covered: bool
) -> None:
    assert shadows(second, first) == ((0,) if covered else ())


def test_several_policies_shadow_one_together() -> None:
    assert shadows({"tiers": {"gold"}}, *EACH_PRIORITY) == (0, 1, 2, 3)
    assert shadows({"tiers": {"gold"}}, *EACH_PRIORITY[1:]) == ()


def test_tags_are_shadowed_one_by_one() -> None:
    assert shadows({"tiers": {"gold"}, "tags": {"a", "b"}}, *GOLD_OR_NOT) == (0, 1)
    assert shadows({"tiers": {"gold"}, "tags": {"a", "b", "c"}}, *GOLD_OR_NOT) == ()
    assert shadows({"tiers": {"gold"}}, *GOLD_OR_NOT) == ()


def test_a_value_that_nobody_names_is_left_to_a_later_policy() -> None:
    assert shadows({"priorities": {"high"}}, {"tenants": {"a"}}, {"tenants": {"b"}}) == ()
    assert shadows({"tenants": {"a", "b"}}, {"tenants": {"a"}}, {"tenants": {"b"}}) == (0, 1)


def test_nothing_is_named_that_shadows_in_vain() -> None:
    idle: list[dict[str, Any]] = [{"tenants": {"acme"}}, {"channels": {"chat"}, "teams": {"x"}}]
    assert shadows({"tiers": {"gold"}}, *idle, *EACH_PRIORITY) == (2, 3, 4, 5)
    both = {"tiers": {"gold"}, "priorities": {"low", "high"}}
    alone = {"tiers": {"gold"}}
    assert shadows(both, *EACH_PRIORITY, alone) == (4,)


def test_what_cannot_be_told_in_time_is_not_called_shadowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shadow, "MOST_STEPS", 3)
    assert shadows({"tiers": {"gold"}}, *EACH_PRIORITY) == ()


def test_no_more_steps_are_taken_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"w-{number}" for number in range(12)]
    cells = [when(teams=[a], tiers=[b], tags=[c]) for a, b, c in product(words, words, words)]
    strewn = [cells[number * 787 % len(cells)] for number in range(len(cells))]
    looked_at: list[object] = []
    cut = shadow._without

    def counted(piece: Any, box: Any) -> Any:
        looked_at.append(piece)
        return cut(piece, box)

    monkeypatch.setattr(shadow, "_without", counted)
    assert shadowing(when(teams=words, tiers=words, tags=words), strewn) == ()
    assert len(looked_at) == shadow.MOST_STEPS


TRAITS: dict[str, list[str]] = {
    "tenants": ["a", "b"],
    "channels": list(Channel),
    "priorities": list(Priority),
    "teams": ["x", ""],
    "tiers": ["gold"],
    "tags": ["s", "t"],
}


def ways(trait: str) -> st.SearchStrategy[frozenset[str]]:
    """No condition, a few values, or nearly all of them: what it takes to shadow."""
    values = frozenset(TRAITS[trait])
    few = st.frozensets(st.sampled_from(TRAITS[trait]), min_size=1, max_size=2)
    return few | few.map(lambda named: values - named) | st.just(frozenset[str]())


@st.composite
def books(draw: st.DrawFn) -> list[Conditions]:
    """Some policies over two or three traits."""
    pick = st.lists(st.sampled_from(list(TRAITS)), min_size=2, max_size=3, unique=True)
    traits = draw(pick)
    of_all = st.fixed_dictionaries({trait: ways(trait) for trait in traits})
    of_one = st.sampled_from(traits).flatmap(lambda t: st.fixed_dictionaries({t: ways(t)}))
    return [when(**form) for form in draw(st.lists(of_one | of_all, min_size=4, max_size=9))]


SUBSETS = [(), ("s",), ("t",), ("u",), ("s", "t"), ("s", "u"), ("t", "u"), ("s", "t", "u")]
TICKETS = [
    Traits(tenant, channel, priority, team, tier, tags)
    for tenant, channel, priority, team, tier, tags in product(
        ["a", "b", "c"], Channel, Priority, ["x", "y", ""], ["gold", ""], SUBSETS
    )
]


def can_match(later: Conditions, earlier: Sequence[Conditions]) -> bool:
    """Try every ticket."""
    return any(
        later.match(ticket) and not any(one.match(ticket) for one in earlier) for ticket in TICKETS
    )


def agree(later: Conditions, earlier: Sequence[Conditions]) -> None:
    found = shadowing(later, earlier)
    event(f"shadowed by {len(found)}")
    assert bool(found) is not can_match(later, earlier)
    blamed = [earlier[number] for number in found]
    for number in range(len(blamed)):
        assert can_match(later, [*blamed[:number], *blamed[number + 1 :]])
    if blamed:
        assert not can_match(later, blamed)


@given(books())
def test_what_is_shadowed_is_what_no_ticket_reaches(book: list[Conditions]) -> None:
    *earlier, later = book
    agree(later, earlier)
    agree(later, [one for one in earlier if can_match(later, [one])])
    # What has hardly any conditions takes several to shadow.
    agree(when(tags=later.tags), [one for one in earlier if can_match(when(), [one])])
