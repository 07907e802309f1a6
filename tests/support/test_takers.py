"""Who is asked first in a plan: as rules would rank them, also after others were given work."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from support.routing import Strategy, rank
from support.takers import Takers
from support.workload import Carrier, OwnedTicket
from tests.support.test_balancing import desks

TICKETS = st.builds(
    OwnedTicket,
    st.just("T-new"),
    st.just("nobody"),
    st.sampled_from([Decimal("0.5"), Decimal(1), Decimal(4)]),
    team=st.sampled_from(["", "audio"]),
    skills=st.sampled_from([(), ("hifi",)]),
    declined=st.sampled_from([(), ("a0",)]),
)


def ranked(carriers: list[Carrier], ticket: OwnedTicket) -> list[str]:
    suited = [
        one.candidate(ticket.kind)
        for one in carriers
        if one.takes
        and ticket.team in ("", one.team)
        and set(ticket.skills) <= set(one.skills)
        and one.agent_id not in ticket.declined
    ]
    places = rank(suited, ticket.units, Strategy.LEAST_LOADED)
    return [place.agent_id for place in places if not place.rejected]


@given(desks(), st.lists(TICKETS, min_size=1, max_size=6))
def test_the_order_is_that_of_the_rules_also_while_loads_change(
    desk: tuple[list[Carrier], list[OwnedTicket]], tickets: list[OwnedTicket]
) -> None:
    carriers, _ = desk
    takers = Takers(carriers)
    for ticket in tickets:
        found = [one.agent_id for one in takers.for_ticket(ticket)]
        assert found == ranked(list(takers.all()), ticket)
        if found:
            takers.put(takers[found[0]].given(ticket))


@given(desks(), st.lists(TICKETS, min_size=1, max_size=6), st.sampled_from(["0", "0.25", "1"]))
def test_who_relieves_somebody_carries_less_by_more_than_is_tolerated(
    desk: tuple[list[Carrier], list[OwnedTicket]], tickets: list[OwnedTicket], within: str
) -> None:
    takers, tolerance = Takers(desk[0]), Decimal(within)
    for ticket in tickets:
        for owner in desk[0]:
            found = [one.agent_id for one in takers.for_relief(owner, ticket, tolerance)]
            assert found == [
                one.agent_id
                for one in takers.for_ticket(ticket)
                if owner.share - one.share > tolerance and one.given(ticket).share < owner.share
            ]
