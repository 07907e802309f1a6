"""Counts kept ticket by ticket are those of a count over all of them."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from support.lanes import Signals
from support.model import Channel, Priority, TicketStatus
from support.policy import Metric
from support.sla import Breach, BreachCause
from support.standing import SlaState, Standing, lanes_of
from support.tally import Tally
from support.ticket import TicketState
from tests.support.deciding import MONDAY

DAY = timedelta(days=1)
CALM = Standing(
    breached=False,
    breached_held=False,
    escalation_due=False,
    sla=SlaState.RUNNING,
    next_due_at=None,
    lanes=(),
)


def ticket(ticket_id: str, age: timedelta = timedelta(0), **changed: object) -> TicketState:
    at = MONDAY - age
    state = TicketState(
        "acme", ticket_id, Channel.WEB, Priority.NORMAL, TicketStatus.OPEN, at, at, customer_id="c"
    )
    return replace(state, **changed)  # type: ignore[arg-type]  # a test names the fields


STATES = st.builds(
    ticket,
    st.sampled_from(["T-1", "T-2", "T-3"]),
    priority=st.sampled_from(Priority),
    status=st.sampled_from(TicketStatus),
    owner=st.sampled_from(["", "kim"]),
)
STANDINGS = st.builds(
    replace,
    st.just(CALM),
    breached=st.booleans(),
    breached_held=st.booleans(),
    escalation_due=st.booleans(),
)


def counted(last: dict[str, tuple[TicketState, Standing]]) -> Signals:
    active = [(t, s) for t, s in last.values() if t.active]
    high = (Priority.HIGH, Priority.URGENT)
    return Signals(
        open_tickets=len(active),
        urgent=sum(t.priority is Priority.URGENT for t, _ in active),
        breached=sum(s.breached for _, s in active),
        breached_held=sum(s.breached_held and not s.breached for _, s in active),
        escalation_due=sum(s.escalation_due for _, s in active),
        unassigned=sum(not t.owner for t, _ in active),
        waiting_internal=sum(t.status is TicketStatus.WAITING_INTERNAL for t, _ in active),
        high_urgent=sum(t.priority in high for t, _ in active),
        rostered_units=Fraction(24),
    )


@given(st.lists(st.tuples(STATES, STANDINGS), max_size=20))
def test_signals_are_those_of_the_last_state_of_every_ticket(
    changes: list[tuple[TicketState, Standing]],
) -> None:
    tally = Tally(Fraction(24))
    last: dict[str, tuple[TicketState, Standing]] = {}
    for state, flags in changes:
        lanes = lanes_of(state, breached=flags.breached, due=flags.escalation_due)
        standing = replace(flags, lanes=lanes)
        tally.now(state, standing)
        last[state.ticket_id] = (state, standing)
        assert tally.reading().signals == counted(last)


def test_a_customer_stands_as_the_other_tickets_say() -> None:
    tally = Tally(Fraction(24))
    missed = Breach(Metric.FIRST_RESPONSE, 0, MONDAY - 2 * DAY, BreachCause.TIME)
    old = replace(missed, due_at=MONDAY - 100 * DAY)
    undone = replace(missed, withdrawn=True)
    tally.now(ticket("T-1"), CALM)
    tally.now(ticket("T-2", 40 * DAY, breaches=(missed, old, undone)), CALM)
    tally.now(ticket("T-3", DAY, status=TicketStatus.CLOSED), CALM)
    tally.now(ticket("T-4", DAY, customer_id="other"), CALM)

    found = tally.customer("c", "T-1", MONDAY)

    assert (found.active_tickets, found.tickets_30d, found.breaches_90d) == (1, 1, 1)
    assert found.first_at == MONDAY - 40 * DAY
    assert tally.customer("nobody", "T-1", MONDAY).first_at is None
