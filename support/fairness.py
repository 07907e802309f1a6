"""How evenly something is shared: two measures of one list of shares.

Both compare shares with each other only: they say nothing of whether the shares are large, or
whether each was earned. Shares are not negative.
"""

from collections.abc import Iterable
from math import fsum


def jain(shares: Iterable[float]) -> float | None:
    """Return Jain's index, (sum x)^2 / (n * sum x^2): 1 for equal shares, 1/n where one has all.

    It reads as the part of those who share that would have the same if only they had anything.
    None where there is nothing to share. Source: Jain, Chiu and Hawe, A Quantitative Measure of
    Fairness and Discrimination for Resource Allocation in Shared Computer Systems, DEC TR-301,
    1984.
    """
    values = _of_largest(shares)
    if not values:
        return None
    return fsum(values) ** 2 / (len(values) * fsum(value * value for value in values))


def gini(shares: Iterable[float]) -> float | None:
    """Return the Gini coefficient: 0 for equal shares, (n - 1)/n where one has all.

    It is half the mean difference of two shares as a part of the mean share, reckoned from the
    shares in ascending order: sum (2i - n - 1) x_i / (n * sum x), i from 1 to n. None where there
    is nothing to share. Source: Gini, Variabilità e mutabilità, 1912; the form for sorted shares
    as in Damgaard and Weiner, Describing Inequality in Plant Size or Fecundity, Ecology 81, 2000.
    """
    values = sorted(_of_largest(shares))
    if not values:
        return None
    count = len(values)
    apart = fsum((2 * i - count - 1) * value for i, value in enumerate(values, start=1))
    return apart / (count * fsum(values))


def _of_largest(shares: Iterable[float]) -> list[float]:
    """Return shares as parts of the largest, so that no square under- or overflows."""
    values = list(shares)
    largest = max(values, default=0)
    return [value / largest for value in values] if largest else []
