"""Who owned a ticket when: the log's owners laid over what the ticket weighed."""

from datetime import UTC, datetime, timedelta

from hub.replay.ownership import Held, as_in_log, owned_at, owners, spells
from hub.replay.source import Incident, Update
from support.model import Priority

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


def update(after_h: float, agent: str) -> Update:
    return Update(
        instant=hour(after_h),
        sequence=0,
        line=0,
        state="Active",
        priority=Priority.NORMAL,
        channel="Email",
        opened_at=START,
        customer="",
        opened_by="",
        actor="",
        team="desk",
        agent=agent,
    )


def test_the_logs_owner_carries_the_units_that_the_ticket_has_then() -> None:
    incident = Incident("t", [update(1, "kim"), update(2, ""), update(3, "lou")])
    ours = [Held(START, "ann", 1.0), Held(hour(1.5), "ann", 0.5), Held(hour(4), "", 0.0)]
    assert as_in_log([incident], {"t": ours}) == {
        "t": [
            Held(START, "", 1.0),
            Held(hour(1), "kim", 1.0),
            Held(hour(1.5), "kim", 0.5),
            Held(hour(2), "", 0.5),
            Held(hour(3), "lou", 0.5),
            Held(hour(4), "lou", 0.0),
        ]
    }


def test_a_ticket_that_no_decision_was_made_of_has_no_track() -> None:
    assert as_in_log([Incident("t", [update(1, "kim")])], {}) == {}


def test_spells_fill_the_time_up_to_the_end_and_none_is_empty() -> None:
    track = [Held(START, "", 1.0), Held(START, "kim", 1.0), Held(hour(2), "lou", 0.5)]
    found = list(spells(track, hour(5)))
    assert [(spell.owner, spell.units) for spell in found] == [("kim", 1.0), ("lou", 0.5)]
    assert [(spell.until - spell.since) for spell in found] == [
        timedelta(hours=2),
        timedelta(hours=3),
    ]


def test_an_owner_who_comes_back_after_a_gap_is_no_new_one() -> None:
    track = [
        Held(START, "", 1.0),
        *(Held(hour(n), who, 1.0) for n, who in enumerate(["kim", "", "kim", "lou", "kim"])),
    ]
    assert owners(track) == ["kim", "lou", "kim"]
    assert owned_at(track) == START
    assert owned_at(track[:1]) is None
