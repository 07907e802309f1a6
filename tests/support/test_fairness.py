"""Measures of fairness: their bounds, and that they see shares in proportion only."""

from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.fairness import gini, jain

amounts = st.floats(min_value=0, max_value=1e9, allow_nan=False)
shared = st.lists(amounts, min_size=1, max_size=40).filter(any)
ordinary = st.lists(st.integers(0, 10_000), min_size=1, max_size=40).filter(any)


@given(shared)
def test_jain_lies_between_one_part_and_one(shares: list[float]) -> None:
    index = jain(shares)
    assert index is not None
    assert 1 / len(shares) - 1e-9 <= index <= 1 + 1e-9


@given(shared)
def test_gini_lies_between_nothing_and_all_at_one(shares: list[float]) -> None:
    index = gini(shares)
    assert index is not None
    assert -1e-9 <= index <= 1 - 1 / len(shares) + 1e-9


@given(ordinary, st.floats(min_value=1e-6, max_value=1e6))
def test_only_proportions_count(shares: list[int], times: float) -> None:
    larger = [share * times for share in shares]
    assert jain(larger) == pytest.approx(jain(shares))
    assert gini(larger) == pytest.approx(gini(shares), abs=1e-9)


@given(st.permutations([0.0, 1.0, 2.0, 2.0, 7.0]))
def test_who_has_a_share_does_not_count(shares: list[float]) -> None:
    assert jain(shares) == pytest.approx(144 / (5 * 58))
    assert gini(shares) == pytest.approx((-4 * 0 - 2 * 1 + 0 * 2 + 2 * 2 + 4 * 7) / (5 * 12))


@given(st.floats(min_value=1e-300, max_value=1e300), st.integers(1, 300))
def test_equal_shares_are_quite_fair(share: float, count: int) -> None:
    assert jain([share] * count) == 1
    assert gini([share] * count) == 0


@given(st.integers(1, 300))
def test_where_one_has_all_both_are_at_their_worst(count: int) -> None:
    shares = [5.0, *[0.0] * (count - 1)]
    assert jain(shares) == pytest.approx(1 / count)
    assert gini(shares) == pytest.approx(1 - 1 / count)


@given(ordinary)
def test_jain_is_one_over_one_and_the_squared_coefficient_of_variation(shares: list[int]) -> None:
    variation = pstdev(shares) / fmean(shares)
    assert jain(shares) == pytest.approx(1 / (1 + variation**2))


@given(ordinary)
def test_gini_is_half_the_mean_difference_over_the_mean(shares: list[int]) -> None:
    difference = fmean(abs(one - other) for one in shares for other in shares)
    assert gini(shares) == pytest.approx(difference / (2 * fmean(shares)), abs=1e-9)


@given(ordinary.filter(lambda shares: len(set(shares)) > 1))
def test_giving_from_the_richest_to_the_poorest_is_fairer(shares: list[int]) -> None:
    ordered = sorted(shares)
    apart = (ordered[-1] - ordered[0]) / 4
    evener = [ordered[0] + apart, *ordered[1:-1], ordered[-1] - apart]
    before, after = jain(shares), jain(evener)
    assert before is not None
    assert after is not None
    assert after > before
    before, after = gini(shares), gini(evener)
    assert before is not None
    assert after is not None
    assert after < before


@pytest.mark.parametrize("shares", [[], [0.0], [0, 0, 0]])
def test_where_nothing_is_shared_there_is_no_index(shares: list[float]) -> None:
    assert jain(shares) is None
    assert gini(shares) is None
