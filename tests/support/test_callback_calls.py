"""Attempts to call: counted once, retried at rising distance, and safe in any order."""

from decimal import Decimal
from itertools import permutations

import pytest

from support.callbacks import CallbackLimits, CallbackStatus, CallOutcome, EndedWhy, Window
from support.errors import InputError
from support.marks import MarkKind
from tests.support.calling import (
    DAY,
    HOUR,
    HUB,
    LOU,
    MINUTE,
    CallDesk,
    Kind,
    dispatched,
    ended_with,
    in_call,
    requested,
    told,
)
from tests.support.deciding import CUSTOMER, KIM, MONDAY

Status, Outcome = CallbackStatus, CallOutcome
NO_UNITS = Decimal(0)
NOBODY = (Outcome.NO_ANSWER, Outcome.BUSY, Outcome.VOICEMAIL)


def attempt(desk: CallDesk, outcome: CallOutcome) -> None:
    """Let whoever gets it accept, dial, and report after a minute."""
    at = desk.state.last_at
    desk.take(told(Kind.ACCEPT, at))
    desk.take(told(Kind.DIALLED, at))
    desk.take(ended_with(outcome, at + MINUTE))


@pytest.mark.parametrize("outcome", NOBODY)
def test_who_is_not_reached_is_called_again_after_a_quarter_and_after_an_hour(
    outcome: CallOutcome,
) -> None:
    desk = dispatched()
    attempt(desk, outcome)
    first = desk.state
    assert (first.status, first.owner, first.units) == (Status.RETRY_WAIT, "", NO_UNITS)
    assert first.next_retry == MONDAY + 16 * MINUTE
    (retry,) = desk.pass_until(MONDAY + 16 * MINUTE)
    assert (retry.state.status, retry.state.owner) == (Status.DISPATCHED, "kim")
    assert retry.state.requested_at == MONDAY
    attempt(desk, outcome)
    assert desk.state.next_retry == MONDAY + 17 * MINUTE + HOUR
    desk.pass_until(MONDAY + 17 * MINUTE + HOUR)
    attempt(desk, outcome)
    last = desk.state
    assert (last.status, last.ended, last.attempts) == (Status.ABANDONED, EndedWhy.ATTEMPTS, 3)
    assert desk.last.next_due is None
    assert [word.kind for word in desk.last.words] == ["follow_up"]


@pytest.mark.parametrize(
    ("outcome", "status", "why"),
    [
        (Outcome.COMPLETED, Status.COMPLETED, None),
        (Outcome.WRONG_NUMBER, Status.ABANDONED, EndedWhy.WRONG_NUMBER),
        (Outcome.REFUSED, Status.ABANDONED, EndedWhy.REFUSED),
    ],
)
def test_a_talk_a_wrong_number_and_a_refusal_end_it(
    outcome: CallOutcome, status: CallbackStatus, why: EndedWhy | None
) -> None:
    desk = dispatched()
    attempt(desk, outcome)
    assert (desk.state.status, desk.state.ended, desk.state.owner) == (status, why, "")
    assert desk.last.words == ()


def test_a_customer_who_names_an_instant_is_called_then_and_no_earlier() -> None:
    desk = in_call()
    again = MONDAY + 8 * DAY
    desk.take(ended_with(Outcome.CALL_AGAIN, MONDAY + 2 * MINUTE, call_again_at=again))
    assert (desk.state.status, desk.state.next_retry) == (Status.RETRY_WAIT, again)
    assert desk.state.expires_at == again + DAY
    (retry,) = desk.pass_until(again)
    assert (retry.at, retry.state.status) == (again, Status.DISPATCHED)


def test_declining_and_silence_are_no_attempts_and_keep_its_age() -> None:
    desk = dispatched()
    desk.take(told(Kind.DECLINE, MONDAY + MINUTE))
    assert (desk.state.status, desk.state.attempts) == (Status.QUEUED, 0)
    assert desk.state.ownership.none is not None
    assert str(desk.state.ownership.none.why) == "all_declined"
    [over] = desk.pass_until(MONDAY + MINUTE + 4 * HOUR)[-1:]
    assert (over.state.owner, over.state.requested_at) == ("kim", MONDAY)
    silent = dispatched()
    (missed,) = silent.pass_until(MONDAY + 2 * MINUTE)
    assert (missed.state.status, missed.state.attempts) == (Status.QUEUED, 0)
    (again,) = silent.pass_until(MONDAY + 7 * MINUTE)
    assert again.state.status is Status.DISPATCHED


def test_reports_of_one_call_in_any_order_and_twice_are_one_attempt() -> None:
    at = MONDAY + MINUTE
    reports = [
        told(Kind.ACCEPT, MONDAY),
        told(Kind.DIALLED, at, HUB, attempt=1, event_id="ringing"),
        told(Kind.DIALLED, at + MINUTE, HUB, attempt=1, event_id="answered"),
        ended_with(Outcome.COMPLETED, at + 2 * MINUTE, attempt=1),
    ]
    for order in permutations(reports):
        desk = dispatched()
        for report in (*order, order[-1]):
            if report.kind is Kind.ACCEPT and desk.state.status.final:
                continue
            desk.take(report, late=HOUR)
        state = desk.state
        assert (state.status, state.attempts) == (Status.COMPLETED, 1)
        assert state.history[0].outcome is Outcome.COMPLETED
        assert desk.last.promise.met_at == at


def test_an_outcome_alone_tells_of_the_dial_as_well() -> None:
    desk = dispatched()
    desk.take(ended_with(Outcome.BUSY, MONDAY + MINUTE))
    assert (desk.state.status, desk.state.attempts) == (Status.RETRY_WAIT, 1)
    assert desk.last.promise.met_at == MONDAY + MINUTE


def test_a_talk_that_is_told_after_the_cancellation_is_on_record_and_changes_nothing() -> None:
    desk = dispatched(people={})
    desk.take(told(Kind.ACCEPT, MONDAY))
    desk.take(told(Kind.CANCEL, MONDAY + 3 * MINUTE, CUSTOMER))
    desk.take(told(Kind.DIALLED, MONDAY + MINUTE), late=5 * MINUTE)
    desk.take(ended_with(Outcome.COMPLETED, MONDAY + 4 * MINUTE))
    state = desk.state
    assert (state.status, state.units) == (Status.CANCELLED, NO_UNITS)
    assert [late.outcome for late in state.late] == [Outcome.COMPLETED]
    assert MarkKind.CALLBACK_COMPLETED in [mark.kind for mark in state.marks]
    assert desk.last.promise.met_at == MONDAY + MINUTE


def test_a_late_talk_ends_the_callback_so_that_nobody_is_called_twice() -> None:
    desk = dispatched()
    attempt(desk, Outcome.NO_ANSWER)
    desk.take(ended_with(Outcome.COMPLETED, MONDAY + MINUTE, event_id="late"), late=3 * MINUTE)
    assert (desk.state.status, desk.state.attempts) == (Status.COMPLETED, 1)
    assert desk.last.next_due is None


def test_a_second_failure_of_an_attempt_changes_nothing() -> None:
    desk = dispatched()
    attempt(desk, Outcome.NO_ANSWER)
    before = desk.state
    desk.take(ended_with(Outcome.VOICEMAIL, MONDAY + MINUTE, event_id="late"))
    assert (desk.state.next_retry, desk.state.attempts) == (before.next_retry, 1)
    assert desk.state.late[0].outcome is Outcome.VOICEMAIL


def test_a_late_wish_to_be_called_again_is_heeded() -> None:
    desk = dispatched()
    attempt(desk, Outcome.NO_ANSWER)
    again = MONDAY + 5 * HOUR
    late = ended_with(Outcome.CALL_AGAIN, MONDAY + 2 * MINUTE, call_again_at=again)
    desk.take(late)
    assert (desk.state.next_retry, desk.state.attempts) == (again, 1)


def test_a_dial_of_which_nothing_is_known_is_parked_and_never_repeated() -> None:
    desk = dispatched()
    desk.take(told(Kind.ACCEPT, MONDAY))
    desk.take(told(Kind.UNKNOWN, MONDAY + MINUTE, HUB, attempt=1))
    state = desk.state
    assert (state.status, state.attempts, state.units) == (Status.IN_CALL, 1, NO_UNITS)
    assert (state.parked_at, state.owner) == (MONDAY + MINUTE, "kim")
    assert desk.last.promise.met_at is None
    passed = desk.pass_until(MONDAY + 8 * DAY)
    assert not any(effect for decision in passed for effect in decision.effects)
    assert desk.state.status is Status.EXPIRED


def test_a_person_says_what_became_of_a_parked_dial() -> None:
    desk = dispatched()
    desk.take(told(Kind.UNKNOWN, MONDAY + MINUTE, HUB))
    desk.take(ended_with(Outcome.NO_ANSWER, MONDAY + HOUR))
    assert (desk.state.status, desk.state.attempts) == (Status.RETRY_WAIT, 1)
    assert desk.last.promise.met_at == MONDAY + MINUTE
    assert desk.state.parked_at is None


def test_a_person_lets_a_parked_one_be_called_again_within_the_attempts() -> None:
    desk = dispatched()
    for number in (1, 2):
        desk.take(told(Kind.UNKNOWN, desk.state.last_at + MINUTE, HUB, attempt=number))
        desk.take(told(Kind.ASSIGN, desk.state.last_at, LOU, assignee="kim"))
        assert (desk.state.status, desk.state.parked_at) == (Status.DISPATCHED, None)
    desk.take(told(Kind.UNKNOWN, desk.state.last_at + MINUTE, HUB, attempt=3))
    with pytest.raises(InputError, match="as often as it may be"):
        desk.take(told(Kind.ASSIGN, desk.state.last_at, LOU, assignee="kim"))
    assert desk.state.attempts == 3


def test_a_telephone_that_reports_late_on_an_attempt_before_does_not_park_the_next() -> None:
    desk = dispatched()
    attempt(desk, Outcome.BUSY)
    desk.pass_until(MONDAY + 16 * MINUTE)
    desk.take(told(Kind.UNKNOWN, MONDAY + 17 * MINUTE, HUB, attempt=1))
    assert (desk.state.status, desk.state.parked_at) == (Status.DISPATCHED, None)


def test_silence_after_accepting_is_parked_because_it_may_have_been_dialled() -> None:
    desk = dispatched()
    desk.take(told(Kind.ACCEPT, MONDAY + MINUTE))
    [parked] = desk.pass_until(MONDAY + MINUTE + HOUR)[-1:]
    assert parked.due is not None
    assert (str(parked.due.kind), parked.state.attempts) == ("unreported", 1)
    assert parked.state.parked_at == MONDAY + MINUTE + HOUR


def test_a_call_that_goes_on_is_not_cut_by_its_expiry() -> None:
    desk = dispatched(limits=CallbackLimits(expires_after=3 * MINUTE))
    desk.take(told(Kind.ACCEPT, MONDAY))
    desk.take(told(Kind.DIALLED, MONDAY + 2 * MINUTE))
    assert desk.pass_until(MONDAY + 30 * MINUTE) == []
    ended = desk.take(ended_with(Outcome.COMPLETED, MONDAY + 31 * MINUTE))
    assert ended.state.status is Status.COMPLETED


def test_a_call_by_hand_from_the_queue_counts_and_belongs_to_who_made_it() -> None:
    desk = CallDesk(agents={})
    desk.take(requested())
    desk.agents = {"kim": Decimal(1)}
    desk.take(told(Kind.DIALLED, MONDAY + MINUTE, KIM))
    assert (desk.state.status, desk.state.owner, desk.state.attempts) == (Status.IN_CALL, "kim", 1)
    assert desk.load("kim") == 12


def test_who_calls_after_their_time_to_accept_is_in_the_call_and_not_who_got_it_then() -> None:
    desk = CallDesk(agents={"kim": Decimal(12)})
    desk.take(requested())
    desk.agents["lou"] = Decimal(12)
    desk.pass_until(MONDAY + 2 * MINUTE)
    assert desk.state.owner == "lou"
    desk.take(told(Kind.DIALLED, MONDAY + MINUTE, KIM), late=2 * MINUTE)
    assert (desk.state.owner, desk.state.history[0].agent_id) == ("kim", "kim")
    assert (desk.load("kim"), desk.load("lou")) == (Decimal(12), NO_UNITS)


def test_reports_after_the_end_do_not_pile_up() -> None:
    desk = in_call()
    desk.take(told(Kind.CANCEL, MONDAY + 2 * MINUTE, CUSTOMER))
    for number in range(40):
        at = MONDAY + (3 + number) * MINUTE
        desk.take(told(Kind.DIALLED, at, HUB))
        desk.take(ended_with(Outcome.COMPLETED, at))
    assert len(desk.state.late) == 16
    assert len(desk.state.marks) == 5


def test_who_misses_it_again_and_again_is_asked_at_rising_distance() -> None:
    desk = dispatched()
    given = [d.at - MONDAY for d in desk.pass_until(MONDAY + 3 * HOUR) if d.state.owner]
    assert [span // MINUTE for span in given] == [7, 19, 41, 83, 165]


def test_a_window_named_while_it_is_offered_takes_it_back() -> None:
    desk = dispatched()
    window = Window(MONDAY + 2 * HOUR, MONDAY + 3 * HOUR)
    desk.take(told(Kind.JOINED, MONDAY + MINUTE, CUSTOMER, window=window))
    assert (desk.state.status, desk.state.owner) == (Status.SCHEDULED, "")
    assert desk.last.promise.due_at == window.end


def test_a_window_named_during_the_call_is_for_the_next_attempt() -> None:
    desk = in_call()
    window = Window(MONDAY + 2 * HOUR, MONDAY + 3 * HOUR)
    desk.take(told(Kind.JOINED, MONDAY + 2 * MINUTE, CUSTOMER, window=window))
    assert desk.state.status is Status.IN_CALL
    desk.take(ended_with(Outcome.NO_ANSWER, MONDAY + 3 * MINUTE))
    passed = desk.pass_until(MONDAY + 2 * HOUR)
    given = [decision.at for decision in passed if decision.state.owner]
    assert given == [window.start]


def test_a_window_cannot_be_moved_without_end() -> None:
    desk = CallDesk(agents={})
    desk.take(requested())
    for hour in range(1, 20):
        window = Window(end=MONDAY + hour * HOUR)
        desk.take(told(Kind.JOINED, MONDAY, CUSTOMER, window=window, event_id=f"j{hour}"))
    assert len(desk.state.marks) <= 21
    while len([m for m in desk.state.marks if m.kind is MarkKind.CALLBACK_REQUESTED]) < 20:
        at = desk.state.last_at + MINUTE
        desk.take(told(Kind.JOINED, at, CUSTOMER, window=Window(end=at + HOUR)))
    at = desk.state.last_at + MINUTE
    with pytest.raises(InputError, match="moved 20 times"):
        desk.take(told(Kind.JOINED, at, CUSTOMER, window=Window(end=at + HOUR)))


def test_a_dial_without_a_number_is_of_the_last_attempt_unless_it_came_after_it() -> None:
    desk = dispatched()
    attempt(desk, Outcome.NO_ANSWER)
    desk.take(told(Kind.DIALLED, MONDAY + MINUTE, HUB, event_id="again"), late=MINUTE)
    assert (desk.state.status, desk.state.attempts) == (Status.RETRY_WAIT, 1)
    desk.take(told(Kind.DIALLED, MONDAY + 5 * MINUTE))
    assert (desk.state.status, desk.state.attempts, desk.state.owner) == (Status.IN_CALL, 2, "kim")
