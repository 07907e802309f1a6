"""Early warning on cases that were reckoned by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.replay.source import Incident, Update
from hub.replay.warning import EarlyWarning, early_warning
from support.escalation import StepRecord
from support.model import Channel, Priority, TicketStatus
from support.policy import Metric
from support.ticket import TicketState

MONDAY = datetime(2016, 3, 7, tzinfo=UTC)


def case(
    number: int, age_h: float, *, missed: bool, flagged_h: float | None = None
) -> tuple[Incident, TicketState]:
    """One incident, opened `number` minutes after midnight and resolved at `age_h`."""
    opened, name = MONDAY + timedelta(minutes=number), f"A-{number}"
    ended = opened + timedelta(hours=age_h)
    update = Update(
        ended, number, number, "Resolved", Priority.NORMAL, "Email", opened, "", "", "", "", ""
    )
    at = opened + timedelta(hours=flagged_h or 0)
    step = StepRecord(Metric.RESOLUTION, 0, 0.75, at, at)
    state = TicketState(
        "t", name, Channel.EMAIL, Priority.NORMAL, TicketStatus.CLOSED, opened, ended,
        steps=(step,) if flagged_h is not None else (),
    )  # fmt: skip
    return Incident(name, [update], missed, ended), state


def figures(*cases: tuple[Incident, TicketState]) -> EarlyWarning | str:
    return early_warning([i for i, _ in cases], {s.ticket_id: s for _, s in cases})


LEARNT = [case(n, age_h, missed=age_h > 10) for n, age_h in enumerate([5, 10, 11, 20, 4, 6, 30, 9])]


def test_recall_alarms_lead_and_both_baselines() -> None:
    found = figures(
        *LEARNT,
        case(10, 12, missed=True, flagged_h=6),
        case(11, 13, missed=True, flagged_h=8),
        case(12, 14, missed=True, flagged_h=11),
        case(13, 15, missed=True),
        case(14, 9, missed=False, flagged_h=6),
        case(15, 8, missed=False),
        case(16, 5, missed=False),
        case(17, 4, missed=False, flagged_h=6),
    )
    assert isinstance(found, EarlyWarning)
    assert found.limits_h == {"all": 10.0}
    assert (found.missed, found.met, found.limit_agrees) == (4, 4, 1.0)
    clock = found.flagging[1]
    assert (clock.flagged_missed, clock.flagged_late, clock.flagged_met) == (2, 1, 1)
    assert (clock.recall, clock.false_alarms, clock.median_lead_h) == (0.5, 0.25, 3.0)
    # By age 3 h before the limit, at 7 h: all four missed, and the met ones of 9 h and 8 h.
    assert (clock.baseline_recall, clock.baseline_false_alarms) == (1.0, 0.5)
    assert clock.recall_by_age == pytest.approx(0.5)


def test_beyond_the_point_of_age_the_baseline_goes_on_to_everything_flagged() -> None:
    found = figures(
        *LEARNT,
        case(10, 12, missed=True, flagged_h=9),
        case(11, 12, missed=True),
        case(12, 12, missed=True),
        case(13, 8, missed=True),
        case(14, 8, missed=False, flagged_h=1),
        case(15, 8, missed=False),
        case(16, 9.5, missed=False, flagged_h=2),
        case(17, 4, missed=False),
    )
    assert isinstance(found, EarlyWarning)
    clock = found.flagging[0]
    # The point of age at 9 h is (1/4, 3/4); at 1/2 the line to (1, 1) is a third of the way.
    assert (clock.baseline_false_alarms, clock.baseline_recall) == (0.25, 0.75)
    assert clock.false_alarms == 0.5
    assert clock.recall_by_age == pytest.approx(0.75 + 0.25 / 3)


def test_without_flags_there_is_no_lead_and_no_baseline() -> None:
    found = figures(*LEARNT, *[case(10 + n, 5 + 5 * n, missed=n > 3) for n in range(8)])
    assert isinstance(found, EarlyWarning)
    assert found.flagging[0].median_lead_h is None
    assert found.flagging[0].recall_by_age is None
    assert found.by_age[0].recall == 1.0


def test_one_kind_of_verdict_gives_no_figures() -> None:
    assert "replay more" in str(figures(*[case(n, 5, missed=False) for n in range(8)]))
