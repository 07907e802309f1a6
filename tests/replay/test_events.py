"""Rows become events: what changed, in the order of the log, and nothing of the future."""

from pathlib import Path

from hub.replay.events import Happening, in_order, roster_of
from hub.replay.mapping import RosterForm, load_mapping
from hub.replay.source import read_log
from support.model import ActorKind, EventKind, Priority, TicketStatus
from support.routing import Role
from tests.replay.exporting import Row, life, quiet, row, write_log

MAPPING = load_mapping("servicenow-incidents")


def happenings(tmp_path: Path, rows: list[Row]) -> list[Happening]:
    log = read_log(write_log(tmp_path / "log.csv", rows), MAPPING, None, quiet)
    return in_order(log.incidents, MAPPING)


def kinds(tmp_path: Path, rows: list[Row]) -> list[str]:
    return [str(happening.event.kind) for happening in happenings(tmp_path, rows)]


def test_a_life_becomes_its_events(tmp_path: Path) -> None:
    rows = [
        row(),
        row(sequence=1, after_h=1, incident_state="Active"),
        row(sequence=2, after_h=2, incident_state="Active", priority="2 - High"),
        row(sequence=3, after_h=3, incident_state="Active", priority="2 - High"),
        row(sequence=4, after_h=4, incident_state="Awaiting User Info", priority="2 - High"),
        row(sequence=5, after_h=5, incident_state="Active", priority="2 - High"),
        row(sequence=6, after_h=6, incident_state="Resolved", priority="2 - High"),
        row(sequence=7, after_h=7, incident_state="Closed", priority="2 - High"),
    ]
    assert kinds(tmp_path, rows) == [
        "created", "reply", "priority", "note", "reply", "wait", "resume", "reply", "resolve",
        "close",
    ]  # fmt: skip


def test_a_first_row_that_is_under_way_tells_both_beginning_and_change(tmp_path: Path) -> None:
    found = happenings(tmp_path, [row(after_h=5, incident_state="Awaiting Vendor")])
    assert [h.event.kind for h in found] == [EventKind.CREATED, EventKind.WAIT]
    assert found[1].event.status is TicketStatus.WAITING_INTERNAL
    assert found[0].instant < found[1].instant


def test_a_call_is_taken_in_by_an_agent_and_a_mail_by_nobody(tmp_path: Path) -> None:
    call, mail = happenings(tmp_path, [row("A-1", contact_type="Phone"), row("B-1")])
    assert call.event.actor.kind is ActorKind.AGENT
    assert mail.event.actor.kind is ActorKind.CUSTOMER


def test_events_of_one_minute_go_by_ticket_then_by_sequence(tmp_path: Path) -> None:
    rows = [row("B-1"), row("A-1", sequence=3), row("A-1", sequence=2, priority="4 - Low")]
    found = happenings(tmp_path, rows)
    assert [(h.ticket_id, h.update.sequence) for h in found] == [("A-1", 2), ("A-1", 3), ("B-1", 0)]
    assert found[1].event.priority is Priority.NORMAL


def test_what_the_log_knows_only_afterwards_changes_no_event(tmp_path: Path) -> None:
    rows = life(8)
    told = [
        {**line, "made_sla": "false", "closed_code": "7", "resolved_at": "1/1/2020 00:00",
         "closed_at": "1/1/2020 00:00", "resolved_by": "X", "reassignment_count": "9"}
        for line in rows
    ]  # fmt: skip
    assert [h.event for h in happenings(tmp_path, rows)] == [
        h.event for h in happenings(tmp_path, list(told))
    ]


def test_agents_sit_in_the_team_of_most_of_their_rows_and_teams_get_a_lead(tmp_path: Path) -> None:
    rows = [
        row("A-1", assignment_group="Mail", assigned_to="Kim"),
        row("B-1", assignment_group="Mail", assigned_to="Kim"),
        row("C-1", assignment_group="Print", assigned_to="Kim"),
        row("D-1", assignment_group="Print", assigned_to="?"),
    ]
    log = read_log(write_log(tmp_path / "log.csv", rows), MAPPING, None, quiet)
    agent, lead = roster_of(log.incidents, RosterForm())
    assert (agent.team, agent.role) == ("Mail", Role.AGENT)
    assert (lead.agent_id, lead.team, lead.role) == ("lead.Mail", "Mail", Role.LEAD)
    assert roster_of(log.incidents, RosterForm(leads=False)) == (agent,)
