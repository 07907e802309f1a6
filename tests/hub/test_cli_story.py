"""What happened to a ticket, as `flowhub ticket show` tells it in a terminal."""

import json
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from hub.cli import output
from hub.cli.story import line
from store.chronicle import DecisionEntry, EscalationEntry, EventEntry, MessageEntry, Text
from tests.store.seeding import START, decision_row

LATE = timedelta(minutes=1, seconds=58).total_seconds()


def wrote(body: str, kind: str = "note") -> Text:
    return Text("m-1", kind, "", body, "agent", "kim", "none")


def event(name: str, text: Text | None = None, **details: Any) -> EventEntry:
    return EventEntry(
        seq=2,
        at=START,
        event_id="e-1",
        name=name,
        outcome=details.pop("outcome", "accepted"),
        actor_kind="agent",
        actor_id="kim",
        on_behalf_of=details.pop("on_behalf_of", ""),
        source="cli",
        occurred_at=START,
        received_at=START,
        details=details,
        result={"refusal": {"message": "not possible now"}},
        text=text,
    )


def decision(lateness_s: float) -> DecisionEntry:
    row = decision_row("T-1", 2)
    return DecisionEntry(
        seq=2,
        at=START,
        trigger_id="e-1",
        trigger="deadline",
        decided_at=START,
        lateness_s=lateness_s,
        pack_name="default",
        pack_version="1",
        policy_version="1",
        inputs={},
        related={},
        fired=json.loads(row.fired),
        trace=(),
        actions=json.loads(row.actions),
        clocks=(),
        corrections=(),
        digest="d",
    )


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (event("priority", priority="urgent"), "agent kim: priority urgent"),
        (event("assign", assignee="lou", lock=True), "agent kim: to lou, locked"),
        (
            event("reassign", expected_owner="kim", assignee="", change_id="bulk.1"),
            "agent kim: from kim to nobody, by bulk.1",
        ),
        (event("assign", assignee=""), "agent kim: to nobody"),
        (
            event("tag", tags_added=["vip", "calm"], tags_removed=["loud"]),
            "agent kim: +vip +calm -loud",
        ),
        (
            event("wait", status="waiting_internal", waiting_on="vendor", waiting_ref="acme"),
            "agent kim: for vendor acme",
        ),
        (event("wait", status="waiting_customer"), "agent kim: for customer"),
        (event("resolve", disposition="spam"), "agent kim: spam"),
        (event("ack", on_behalf_of="eva"), "agent kim on behalf of eva"),
        (event("resume", outcome="refused"), "agent kim: not possible now"),
        (event("note", wrote("Asked\n the\tvendor")), "agent kim\nAsked the vendor"),
        (event("note", wrote("\x1b[31mred\x9b2J\u202e")), "agent kim\n[31mred2J"),
        (MessageEntry(2, START, wrote("We are late", "reply")), "reply\nWe are late"),
    ],
)
def test_an_event_tells_what_it_changed_and_said(
    entry: EventEntry | MessageEntry, told: str
) -> None:
    assert line(entry)[2] == told


def test_lateness_is_told_where_it_is_more_than_a_second() -> None:
    assert line(decision(LATE))[1] == "decision 2, 1m 58s late"
    assert line(decision(0.9))[1] == "decision 2"
    step = EscalationEntry(2, START, "first_response", 0, 0.75, LATE, "")
    assert line(step)[2] == "first_response at 75%, 1m 58s late"


def test_what_people_wrote_is_one_line_cut_to_the_width_and_never_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "_out", Console(width=80))
    said = wrote("[bold]loud[/] " + "and on and on " * 40)
    output.print_table("", ("at", "what", "who or why"), [line(event("note", said))])
    shown = capsys.readouterr().out
    assert "[bold]loud[/] and on" in shown
    assert shown.count("and on and on") <= 4
    assert "…" in shown
