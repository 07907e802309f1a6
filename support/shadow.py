"""Which policy can never match, because earlier ones together match all that it matches.

What a policy matches is a box: for each trait a set of values. Boxes are cut from one another, so
that the answer is exact and no ticket has to be tried.
"""

from collections.abc import Iterator, Sequence

from support.model import Channel, Priority
from support.policy import Conditions

MOST_STEPS = 10_000
"""Boxes looked at before a policy is taken to match: some milliseconds."""

_OTHER = None
"""Any value that no policy names."""

_Values = frozenset[str | None]
_Box = tuple[_Values, ...]

_EVERY: _Box = (
    frozenset(),
    frozenset(Channel),
    frozenset(Priority),
    frozenset(),
    frozenset(),
    frozenset({_OTHER}),
)
"""All values of each trait, where they are known; of the others, only `_OTHER` or what is named."""


def shadowing(when: Conditions, earlier: Sequence[Conditions]) -> tuple[int, ...]:
    """Return which of `earlier` leave nothing for `when`, none in vain; empty: it can match.

    Of what it matches, a ticket with just one of the tags that it names, or with none where it
    names none, is matched by the fewest others. So only those are looked at.
    """
    space = _space(when, earlier)
    boxes = {number: _within(space, one) for number, one in enumerate(earlier)}
    boxes = {number: box for number, box in boxes.items() if all(box)}
    alone = next((number for number, box in boxes.items() if box == space), None)
    if alone is not None:
        return (alone,)
    if _something_left(space, tuple(boxes.values())):
        return ()
    for number in sorted(boxes, reverse=True):
        fewer = {other: box for other, box in boxes.items() if other != number}
        if not _something_left(space, tuple(fewer.values())):
            boxes = fewer
    return tuple(boxes)


def _traits(when: Conditions) -> _Box:
    """Values of each trait that the conditions name; tags last."""
    return (when.tenants, when.channels, when.priorities, when.teams, when.tiers, when.tags)


def _space(when: Conditions, earlier: Sequence[Conditions]) -> _Box:
    """Return what `when` matches, with the values that `earlier` tells apart."""
    named = [_traits(one) for one in earlier]

    def values(trait: int, own: _Values) -> _Values:
        return own or _EVERY[trait] or frozenset({_OTHER}).union(*(one[trait] for one in named))

    return tuple(values(trait, own) for trait, own in enumerate(_traits(when)))


def _within(space: _Box, when: Conditions) -> _Box:
    """Return what of `space` the conditions match; a trait without values: nothing."""
    return tuple(
        own & values if own else values for own, values in zip(_traits(when), space, strict=True)
    )


def _something_left(space: _Box, boxes: Sequence[_Box]) -> bool:
    """Whether the boxes leave anything of `space`, or may: where it takes too long to say."""
    pieces = [(space, 0)]
    for _ in range(MOST_STEPS):
        if not pieces:
            return False
        piece, cut = pieces.pop()
        if cut == len(boxes):
            return True
        pieces.extend((rest, cut + 1) for rest in _without(piece, boxes[cut]))
    return True


def _without(piece: _Box, box: _Box) -> Iterator[_Box]:
    """Cut `box` from `piece`, into pieces that have nothing in common."""
    both = tuple(mine & its for mine, its in zip(piece, box, strict=True))
    if not all(both):
        yield piece
        return
    for trait, shared in enumerate(both):
        if rest := piece[trait] - shared:
            yield (*both[:trait], rest, *piece[trait + 1 :])
