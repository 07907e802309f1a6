"""Where sources disagree about business time: our decision, one test a case.

`docs/time-conventions.md` says what was decided and why. Values of the peers' cases are read from
where those lie.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.calendar import BusinessCalendar
from support.cases import answer_form, answer_of, read_case
from support.errors import CalendarError

OWN = Path(__file__).parent / "oracles"
PEERS = Path(__file__).parents[3] / "shared" / "oracles"
DECIDED = (Path(__file__).parents[2] / "docs" / "time-conventions.md").read_text()
OPEN_QUESTIONS = {"own-holiday-and-override-001": 7200}
"""Cases that leave the decision to the engine, with ours."""


def cases(*names: str) -> list[Any]:
    files = [folder / f"{name}.json" for name in names for folder in (OWN, PEERS)]
    found = {
        case["id"]: case
        for file in files
        if file.exists()
        for case in json.loads(file.read_text()).get("convention_differs", [])
    }
    return [pytest.param(case, id=key) for key, case in found.items()]


BUSINESS_TIME = cases("business_time", "business_time_peers")
SLA = cases("sla", "sla_peers")


@pytest.mark.parametrize("case", BUSINESS_TIME)
def test_business_time_follows_our_convention(case: Any) -> None:
    calendar = BusinessCalendar.from_dict(case["calendar"])
    start = datetime.fromisoformat(case["start"])
    expected = OPEN_QUESTIONS.get(case["id"], case["convention_value"])
    if case["op"] == "between":
        got = calendar.between(start, datetime.fromisoformat(case["end"]))
        assert got == timedelta(seconds=expected)
    else:
        assert expected == "error: no open time"
        with pytest.raises(CalendarError, match="no open time"):
            calendar.add(start, timedelta(seconds=case["seconds"]))


@pytest.mark.parametrize("case", SLA)
def test_clocks_follow_our_convention(case: Any) -> None:
    asked = read_case(case)
    got = answer_form(asked, answer_of(asked))
    for metric, expected in case["expect"].items():
        for field, value in expected.items():
            if field == "due":
                assert datetime.fromisoformat(got[metric][field]) == datetime.fromisoformat(value)
            else:
                assert got[metric][field] == value, (metric, field)


@pytest.mark.parametrize("case", [*BUSINESS_TIME, *SLA])
def test_each_decision_is_written_down(case: Any) -> None:
    assert f"`{case['id']}`" in DECIDED
