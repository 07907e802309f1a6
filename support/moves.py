"""Moving a ticket from the policies that it started with to the current ones, on record."""

from dataclasses import replace

from support.errors import InputError
from support.marks import Mark, MarkKind
from support.policy import PolicyBook, earlier_key
from support.ticket import TicketState


def moved(
    state: TicketState, pinned: PolicyBook, current: PolicyBook
) -> tuple[TicketState, PolicyBook]:
    """Return the ticket under `current`, and the book that its clocks are reckoned by from now on.

    What was consumed under the policies before is still reckoned by them. InputError where the
    ticket uses the current policies already.
    """
    old = state.policy_version
    if old == current.version:
        raise InputError(f"the ticket uses the current policies {old} already: nothing to move")
    known = {earlier_key(old, terms.key) for terms in pinned.policies} | pinned.earlier.keys()

    def renamed(mark: Mark) -> Mark:
        if mark.kind is not MarkKind.TERMS or mark.terms in known:
            return mark
        return replace(mark, terms=earlier_key(old, mark.terms))

    versions = tuple(v for v in state.earlier_policies if v != old)
    state = replace(
        state,
        marks=tuple(renamed(mark) for mark in state.marks),
        terms_key="",
        policy_version=current.version,
        earlier_policies=(*versions, old),
    )
    return state, current.after([pinned])
