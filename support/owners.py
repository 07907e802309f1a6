"""Who is told of a ticket, whose it is by force of a person, and the owner lock."""

from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from support.errors import InputError, NoRoomError
from support.model import EventKind, TicketEvent, TicketStatus
from support.needs import Answer, Need, RuleAction, claim, people
from support.routing import Role
from support.ticket import TicketState
from support.work import Asking, Done, Outcome, Work

_STAND_INS: Mapping[Role, tuple[Role, ...]] = {
    Role.LEAD: (Role.MANAGER,),
    Role.MANAGER: (Role.LEAD,),
    Role.ON_CALL: (Role.MANAGER, Role.LEAD),
}
"""Who is told where nobody has the role: a step that reaches nobody would be a silent one."""


class Owned(Protocol):
    """What has an owner, and a team that it is for."""

    @property
    def owner(self) -> str:
        """Agent who has it; empty: nobody."""

    @property
    def team(self) -> str:
        """Team that it is for; may be empty."""


class Deciding(Protocol):
    """A decision in the making about something that is owned."""

    on_call: bool

    @property
    def state(self) -> Owned:
        """What is decided about."""

    @property
    def at(self) -> datetime:
        """Nominal instant of the decision."""


def claim_asked(
    event: TicketEvent, after: TicketState, before: str
) -> Generator[Need, Answer, TicketState]:
    """Claim for who an assign or reassign event gives the ticket to, instead of `before`.

    A person's assignment wins over capacity: only an unknown agent is refused, with InputError.
    A move of a bulk change is not, unless it is forced: NoRoomError. Where that would leave it to
    somebody who has left for good, the ticket is released. Returns the ticket as it is then.
    """
    agent_id, forced = after.owner, event.kind is EventKind.ASSIGN or event.forced
    if agent_id == before or (
        yield from claim(agent_id, after.units, forced=forced, kind=after.kind)
    ):
        return after
    if event.left_cause is not None:
        return replace(after, owner="")
    if forced:
        raise InputError(
            f"there is no agent {agent_id} in {after.tenant}: see `flowhub roster list`"
        )
    raise NoRoomError(f"{agent_id} has no room for the ticket, or is not at work", agent=agent_id)


def escalate(work: Work, action: RuleAction) -> Asking:
    """Say whose it is to act; where nobody owns the ticket, they own it now."""
    wanted = target_of(work, action)
    target, told = yield from recipients(work, wanted)
    if not told:
        return Done(Outcome.REFUSED, f"there is no {wanted} to escalate to")
    if not work.state.owner and target != "owner" and work.state.active:
        units = replace(work.state, status=TicketStatus.OPEN).units
        for person in told:
            if (yield from claim(person, units, forced=False, kind=work.state.kind)):
                event = work.event(EventKind.ASSIGN, action.rule_id)
                work.apply(replace(event, assignee=person))
                return Done(Outcome.DONE, f"had no owner: {target} {person} is owner now")
    place = f" in the place of {wanted}" if target != wanted else ""
    return Done(Outcome.DONE, f"escalated to {target} {', '.join(told)}{place}")


def target_of(work: Deciding, action: RuleAction) -> str:
    """Whom a step is for: as the rule says, or the on-call rota where the ladder says so."""
    target = str(action.params["to"])
    return str(Role.ON_CALL) if work.on_call and target != "channel" else target


def recipients(work: Deciding, target: str) -> Generator[Need, Answer, tuple[str, tuple[str, ...]]]:
    """Return who is told, and in which role: where nobody has the one asked for, a stand-in."""
    if target == "owner":
        return target, ((work.state.owner,) if work.state.owner else ())
    for role in (Role(target), *_STAND_INS.get(Role(target), ())):
        found = yield from people(role, work.state.team, work.at)
        if found:
            return str(role), found
    return target, ()


def lock_owner(work: Work, action: RuleAction) -> Done:
    """Let the owner keep the ticket for some minutes of business time.

    Not where a lock has just run out: each would lead to the next, without end.
    """
    if work.lock_expired:
        return Done(Outcome.REFUSED, "the owner lock has just run out, and no rule renews it")
    if not work.state.owner:
        return Done(Outcome.REFUSED, "no owner to lock")
    until = work.calendar.add(work.at, timedelta(minutes=float(str(action.params["minutes"]))))
    work.state = replace(work.state, locked_until=until)
    return Done(Outcome.DONE, f"owner locked until {until.isoformat()}")
