"""A mapping is checked as a whole, and says what to correct."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.replay.mapping import SHIPPED, Move, load_mapping
from support.errors import InputError

SERVICENOW = yaml.safe_load((SHIPPED / "servicenow-incidents.yaml").read_text())


def saved(tmp_path: Path, form: Any) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(form))
    return file


def refusal(tmp_path: Path, **changes: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_mapping(saved(tmp_path, {**SERVICENOW, **changes}))
    return str(caught.value)


def test_a_shipped_mapping_is_found_by_its_name() -> None:
    assert load_mapping("servicenow-incidents").time.zone == "America/Sao_Paulo"


def test_the_first_change_that_fits_is_taken() -> None:
    state = load_mapping("servicenow-incidents").state
    assert state.moves("Closed", "Resolved") == (Move.REOPEN, Move.REPLY, Move.RESOLVE)
    assert state.moves("Active", "Resolved") == (Move.REPLY, Move.RESOLVE)
    assert state.moves("New", "Active") == (Move.REPLY,)
    assert state.moves("Awaiting Vendor", "Active") == (Move.RESUME,)


def test_every_change_between_known_states_has_a_meaning() -> None:
    state = load_mapping("servicenow-incidents").state
    pairs = [(a, b) for a in state.known for b in state.known if a != b]
    assert all(state.moves(*pair) != (Move.NOTE,) for pair in pairs)


def test_a_column_that_tells_the_future_cannot_feed_an_event(tmp_path: Path) -> None:
    said = refusal(tmp_path, opening={"instant": "resolved_at"})
    assert "mine.yaml" in said
    assert "`opening.instant` reads column 'resolved_at'" in said


def test_the_column_of_the_verdict_must_be_forbidden(tmp_path: Path) -> None:
    assert "add it to `forbidden`" in refusal(tmp_path, forbidden=[])


def test_the_logs_count_of_reassignments_must_be_forbidden(tmp_path: Path) -> None:
    outcome = {**SERVICENOW["outcome"], "reassignments": "moves"}
    said = refusal(tmp_path, outcome=outcome)
    assert "`outcome.reassignments` is 'moves'" in said
    assert "add it to `forbidden`" in said


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"time": {"zone": "Mars/Olympus", "formats": ["%Y"]}}, "time.zone"),
        ({"time": {"zone": "UTC", "formats": []}}, "time.formats"),
        ({"colour": "red"}, "colour"),
        ({"ordering": {"instant": "a", "ticket": "b"}}, "ordering.sequence"),
        ({"state": {**SERVICENOW["state"], "initial": "Strange"}}, "Strange"),
        (
            {"outcome": {"column": "made_sla", "missed": ["false"], "resolved": ["Gone"]}},
            "outcome.resolved",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    assert named in refusal(tmp_path, **changes)


@pytest.mark.parametrize("text", ["", "- a", "a: [", "\x00"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match="mapping"):
        load_mapping(file)


def test_an_unknown_mapping_names_those_that_ship() -> None:
    with pytest.raises(InputError, match="servicenow-incidents"):
        load_mapping("jira")
