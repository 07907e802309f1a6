"""The facts of a callback are those of the catalogue, each of its type."""

from rules.facts import typed
from support.callback_facts import READERS, describe_callback
from support.callbacks import CallOutcome, Window
from support.situation import facts_of
from support.subjects import Subject
from tests.support.calling import HOUR, MINUTE, CallDesk, Kind, ended_with, in_call, requested, told
from tests.support.deciding import MONDAY


def test_every_fact_of_the_catalogue_is_read_and_no_other() -> None:
    assert READERS.keys() == facts_of(Subject.CALLBACK).keys()
    assert callable(describe_callback)


def test_facts_tell_where_it_stands() -> None:
    desk = in_call()
    desk.take(ended_with(CallOutcome.BUSY, MONDAY + 2 * MINUTE))
    facts = desk.last.facts
    assert typed(facts)
    assert facts["callback_status"] == "retry_wait"
    assert (facts["callback_event"], facts["callback_due"]) == ("outcome", "")
    assert (facts["callback_attempts"], facts["callback_outcome"]) == (1, "busy")
    assert (facts["callback_opens_in_s"], facts["callback_age_s"]) == (900.0, 120.0)
    assert (facts["owner_set"], facts["business_open"], facts["weekday"]) == (False, True, "mon")


def test_facts_say_why_nobody_may_call_and_how_long_it_is_overdue() -> None:
    desk = CallDesk(agents={})
    desk.take(requested(window=Window(MONDAY, MONDAY + HOUR), language="sv"))
    desk.pass_until(MONDAY + HOUR)
    desk.take(told(Kind.NOTE, MONDAY + 2 * HOUR))
    facts = desk.last.facts
    assert (facts["callback_blocked"], facts["callback_overdue_s"]) == ("window_over", 3600.0)
    assert (facts["callback_overdue"], facts["callback_missed"]) == (True, True)
    assert (facts["callback_language"], facts["no_owner"]) == ("sv", "nobody_suits")


def test_a_step_says_its_share_and_whose_it_is() -> None:
    desk = CallDesk(agents={})
    desk.take(requested())
    early, *_ = desk.pass_until(MONDAY + 2 * HOUR)
    assert (early.facts["callback_due"], early.facts["step_fraction"]) == ("step", 0.75)
