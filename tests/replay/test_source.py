"""Every row of an export is used, or counted with the reason why not."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.replay.mapping import load_mapping
from hub.replay.source import BEYOND_LIMIT, Log, person_id, read_log, readable_id
from support.errors import InputError
from support.model import ID_PATTERN
from tests.replay.exporting import COLUMNS, life, quiet, row, write_log

MAPPING = load_mapping("servicenow-incidents")


def read(file: Path, limit: int | None = None) -> Log:
    return read_log(file, MAPPING, limit, quiet)


def test_unusable_rows_are_counted_by_reason(tmp_path: Path) -> None:
    rows = [
        row(),
        row(sequence=1, incident_state="-100"),
        row(sequence=2, sys_updated_at="?"),
        row(sequence=3, sys_updated_at="2016-03-01"),
        row(sequence=4, sys_updated_at="01/01/1970 00:00", opened_at="01/01/1970 00:00"),
        row(sequence=5, after_h=-1),
        row(sequence=6, priority="9 - Odd"),
        row(number="?"),
        row(sys_mod_count="many"),
    ]
    log = read(write_log(tmp_path / "log.csv", rows))
    assert log.unused == {
        "incident_state not in the mapping: '-100'": 1,
        "sys_updated_at missing": 1,
        "sys_updated_at in no format of the mapping": 1,
        "sys_updated_at before 2000": 1,
        "updated before it was opened": 1,
        "priority not in the mapping: '9 - Odd'": 1,
        "number missing": 1,
        "sys_mod_count is no whole number": 1,
    }
    assert (log.rows_read, log.rows_used) == (9, 1)


def test_a_row_with_too_few_fields_is_counted(tmp_path: Path) -> None:
    file = write_log(tmp_path / "log.csv", [row()])
    file.write_text(file.read_text() + "TST0000002,New\n")
    assert read(file).unused == {"wrong number of fields": 1}


def test_a_limit_takes_the_first_incidents_with_all_their_rows(tmp_path: Path) -> None:
    rows = [row("A-1"), row("B-1"), row("C-1"), row("A-1", sequence=1, after_h=1)]
    log = read(write_log(tmp_path / "log.csv.gz", rows), limit=2)
    assert [(i.ticket_id, len(i.updates)) for i in log.incidents] == [("A-1", 2), ("B-1", 1)]
    assert log.unused == {BEYOND_LIMIT: 1}


def test_times_are_of_the_zone_of_the_mapping(tmp_path: Path) -> None:
    log = read(write_log(tmp_path / "log.csv", [row()]))
    assert log.incidents[0].updates[0].opened_at == datetime(2016, 3, 1, 12, tzinfo=UTC)


def test_rows_of_one_minute_keep_the_order_of_their_sequence(tmp_path: Path) -> None:
    rows = [row(sequence=number) for number in (10, 9, 2)]
    log = read(write_log(tmp_path / "log.csv", rows))
    assert [update.sequence for update in log.incidents[0].updates] == [2, 9, 10]


def test_the_verdict_and_the_end_of_work_stay_beside_the_rows(tmp_path: Path) -> None:
    rows = [
        row(),
        row(sequence=1, after_h=3, incident_state="Resolved"),
        row(sequence=2, after_h=9, incident_state="Closed", made_sla="false"),
    ]
    incident = read(write_log(tmp_path / "log.csv", rows)).incidents[0]
    assert incident.missed is True
    assert incident.resolved_at == datetime(2016, 3, 1, 15, tzinfo=UTC)


def test_people_are_references_and_teams_stay_readable() -> None:
    assert "Resolver" not in person_id("agent", "Resolver 89")
    assert person_id("agent", "") == ""
    assert readable_id("Group-7") == "Group-7"
    assert readable_id("Group 7").startswith("Group-7.")
    assert readable_id("Group 7") != readable_id("Group_7 ")
    assert ID_PATTERN.fullmatch(readable_id("ä" * 200))


def test_a_missing_column_is_named_with_the_field_of_the_mapping(tmp_path: Path) -> None:
    columns = [c for c in COLUMNS if c != "priority"]
    with pytest.raises(InputError, match=r"'priority'.*`priority\.column`"):
        read(write_log(tmp_path / "log.csv", [row()], columns))


@pytest.mark.parametrize("cut", [10, 200])
def test_a_broken_archive_is_refused(tmp_path: Path, cut: int) -> None:
    whole = write_log(tmp_path / "whole.csv.gz", life()).read_bytes()
    broken = tmp_path / "log.csv.gz"
    broken.write_bytes(whole[:cut])
    with pytest.raises(InputError, match="cannot be read"):
        read(broken)


def test_bytes_of_another_encoding_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "log.csv.gz"
    file.write_bytes(gzip.compress("number;\xe5\n".encode("latin-1")))
    with pytest.raises(InputError, match="utf-8"):
        read(file)


def test_a_missing_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no log"):
        read(tmp_path / "none.csv")
