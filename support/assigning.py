"""The action `assign`: the ticket goes to the first of the ranked candidates who has room."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from support.model import EventKind, TicketStatus
from support.needs import (
    Answer,
    FindCandidates,
    FindOutlook,
    Need,
    RuleAction,
    candidates,
    claim,
    outlook,
)
from support.ownership import NoOwner, NoOwnerWhy
from support.routing import Ranked, Role, Strategy, rank
from support.ticket import TicketState
from support.transitions import check
from support.work import Asking, Done, Outcome, Work

_HAS_IT = "has the ticket now"
_LATE = timedelta(seconds=5)
_DECLINED = "declined it, or did not accept it in time"


@dataclass(frozen=True, slots=True)
class _Order:
    """What one `assign` asks for, of the ticket as it is.

    `overflow_at` is when the skills are no longer insisted on; None: never.
    """

    role: Role
    team: str
    strategy: Strategy
    skills: tuple[str, ...]
    overflow_at: datetime | None
    insists: bool
    accept_within: timedelta | None
    releases: bool

    @property
    def who(self) -> str:
        """Whom it looks for, in words."""
        team = f" of team {self.team}" if self.team else ""
        skilled = f" with {', '.join(self.skills)}" if self.skills and self.insists else ""
        return f"{self.role}{team}{skilled}"


def assign(work: Work, action: RuleAction) -> Asking:
    """Give the ticket to the first of the ranked candidates who has room, unless it is locked.

    Where nobody takes it, it stays with its owner or is released, as the action says; one without
    an owner keeps why, and when the next suitable shift begins.
    """
    state = work.state
    check(state.status, EventKind.ASSIGN)
    if state.locked(work.at):
        return Done(Outcome.REFUSED, f"owner locked until {state.locked_until}")
    order = _order(work, action)
    units = replace(state, status=TicketStatus.OPEN).units
    found = yield from candidates(_wanted(work, order, units))
    ranked = rank(
        found,
        units,
        order.strategy,
        excluded=_excluded(state, work.at),
        needed=state.skills,
        insists=order.insists,
    )
    for place in ranked:
        if place.rejected:
            break
        if (yield from claim(place.agent_id, units, forced=False, kind=state.kind)):
            _give(work, action, place.agent_id, order.accept_within)
            return Done(Outcome.DONE, f"owner is {place.agent_id}", ranked=ranked)
    return (yield from _nobody(work, action, order, ranked))


def _order(work: Work, action: RuleAction) -> _Order:
    state, params = work.state, action.params
    after, within = params.get("overflow_after_s"), params.get("accept_within_s")
    overflow_at = None
    if after is not None and not state.owner:
        since = state.ownership.since or state.created_at
        overflow_at = state.ownership.overflow_at or since + timedelta(seconds=float(str(after)))
    return _Order(
        role=Role(str(params.get("role", Role.AGENT))),
        team=str(params.get("team") or state.team),
        strategy=Strategy(str(params.get("strategy", Strategy.LEAST_LOADED))),
        skills=state.skills,
        overflow_at=overflow_at,
        insists=bool(state.owner)
        or not replace(state.ownership, overflow_at=overflow_at).overflows(work.at),
        accept_within=None if within is None else timedelta(seconds=float(str(within))),
        releases=params.get("otherwise") == "release",
    )


def _wanted(work: Work, order: _Order, units: Decimal) -> FindCandidates:
    state = work.state
    return FindCandidates(
        role=order.role,
        team=order.team,
        skills=order.skills,
        at=work.at,
        kind=state.kind,
        customer_id=state.customer_id,
        strategy=order.strategy,
        insists=order.insists,
        last_owner=state.owner or state.ownership.last,
        follow_up_of=state.follow_up_of,
        units=units,
    )


def _excluded(state: TicketState, at: datetime) -> Mapping[str, str]:
    declined = dict.fromkeys(state.ownership.declined_by(at), _DECLINED)
    return {**declined, **({state.owner: _HAS_IT} if state.owner else {})}


def _give(work: Work, action: RuleAction, agent_id: str, accept_within: timedelta | None) -> None:
    work.apply(replace(work.event(EventKind.ASSIGN, action.rule_id), assignee=agent_id))
    if accept_within is not None:
        # Nobody can accept what was decided late before they had it.
        begins = work.now if work.now - work.at > _LATE else work.at
        ownership = replace(work.state.ownership, accept_by=begins + accept_within)
        work.state = replace(work.state, ownership=ownership)


def _nobody(
    work: Work, action: RuleAction, order: _Order, ranked: Sequence[Ranked]
) -> Generator[Need, Answer, Done]:
    """Say why nobody has it, and let rules know, once a decision."""
    ahead = yield from outlook(
        FindOutlook(order.role, order.team, order.skills if order.insists else (), work.at)
    )
    none = NoOwner(_why(ranked, ahead.agents), ahead.next_shift_at)
    said = none.sentence(order.who)
    released = bool(work.state.owner) and order.releases
    if released:
        work.apply(work.event(EventKind.ASSIGN, action.rule_id))
        said = f"released: {said}"
    if not work.state.owner:
        _remember(work, action, order, none)
    outcome = Outcome.DONE if released else Outcome.REFUSED
    return Done(outcome, said, ranked=tuple(ranked))


def _remember(work: Work, action: RuleAction, order: _Order, none: NoOwner) -> None:
    before = work.state.ownership
    teams = before.sought_teams
    if order.team and order.team not in (work.state.team, *teams):
        teams = (*teams, order.team)
    roles = before.sought_roles
    if order.role is not Role.AGENT and order.role not in roles:
        roles = (*roles, str(order.role))
    after = replace(
        before,
        none=none,
        sought_teams=teams,
        sought_roles=roles,
        overflow_at=(order.overflow_at or before.overflow_at) if order.insists else None,
        overflowed=not order.insists,
    )
    work.state = replace(work.state, ownership=after)
    if not work.told_no_owner:
        work.told_no_owner = True
        event = work.event(EventKind.NO_OWNER, action.rule_id)
        work.happened.append((len(work.records), event))


def _why(ranked: Sequence[Ranked], agents: int) -> NoOwnerWhy:
    if not ranked:
        return NoOwnerWhy.NOBODY_AT_WORK if agents else NoOwnerWhy.NOBODY_SUITS
    if all(place.rejected in (_DECLINED, _HAS_IT) for place in ranked):
        return NoOwnerWhy.ALL_DECLINED
    return NoOwnerWhy.ALL_FULL
