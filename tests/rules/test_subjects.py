"""Rules about callbacks, lanes and rosters: what they may ask and do."""

import pytest

from rules.engine import Engine
from rules.examples import run_examples
from rules.facts import typed
from rules.values import completed
from support.errors import PackError, RulesEngineError
from support.situation import CATALOGUE, facts_of
from support.subjects import TRIGGERS, Subject
from tests.rules.situations import pack_of

PACK = """name: p
rules:
  - id: late-callback
    description: d
    on: [callback]
    when: {callback_overdue: true, callback_attempts: {ge: 1}, team: {exists: true}}
    then: [{notify: {to: lead, template: late, text: "{ticket_id}: {callback_overdue_s}"}}]
    tests:
      - facts: {callback_overdue: true, callback_attempts: 2, team: north}
        then: [{notify: {to: lead, template: late, text: "{ticket_id}: {callback_overdue_s}"}}]
      - {facts: {callback_overdue: true}, then: []}
  - id: hot-lane
    description: d
    on: [lane_status]
    when: {lane_status: {in: [hot, critical]}, lane: unassigned, lane_share: {gt: 0.1}}
    then: [{notify: {to: channel, template: hot}}, {record: {note: "{lane} is {lane_status}"}}]
    tests:
      - facts: {lane_status: hot, lane: unassigned, lane_share: 0.2}
        then: [{notify: {to: channel, template: hot}}, {record: {note: "{lane} is {lane_status}"}}]
      - {facts: {lane_status: watch, lane: unassigned, lane_share: 0.2}, then: []}
  - id: somebody-left
    description: d
    on: [roster]
    when: {roster_change: went_offline, agent_team: north, local_time: {within: "08:00-17:00"}}
    then: [{notify: {to: manager, template: left}}]
    tests:
      - facts: {roster_change: went_offline, agent_team: north, local_time: "09:30"}
        then: [{notify: {to: manager, template: left}}]
      - {facts: {roster_change: went_offline, agent_team: north}, then: []}
  - id: by-night
    description: d
    on: [created, roster, lane_status, callback]
    when: {weekday: {in: [sat, sun]}, tenant: acme, business_open: false}
    then: [{record: {note: "by night, {on}"}}]
    tests:
      - {facts: {on: lane_status, weekday: sun, tenant: acme}, then: [{record: {note: "by night, {on}"}}]}
      - {facts: {weekday: sun, tenant: acme}, then: [{record: {note: "by night, {on}"}}]}
      - {facts: {on: roster, weekday: mon, tenant: acme}, then: []}
"""  # noqa: E501


def test_rules_of_every_subject_are_decided_by_the_engine() -> None:
    pack = pack_of(PACK)
    with Engine(pack, timeout_s=30) as engine:
        outcomes = run_examples(pack, engine)
        assert [outcome for outcome in outcomes if not outcome.passed] == []
        assert (len(outcomes), engine.disagreements) == (9, 0)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_decision_has_the_facts_of_its_subject_and_no_others(trigger: str) -> None:
    known = facts_of(TRIGGERS[trigger])
    whole = completed({"on": trigger})
    assert whole.keys() == known.keys()
    assert typed(whole).keys() == CATALOGUE.keys()
    foreign = next(name for name in CATALOGUE if name not in known)
    with pytest.raises(RulesEngineError, match=f"facts are unknown: {foreign}"):
        typed({**whole, foreign: ""})
    with pytest.raises(RulesEngineError, match="facts are missing: weekday"):
        typed({name: fact for name, fact in whole.items() if name != "weekday"})


def test_facts_without_a_known_trigger_are_refused() -> None:
    with pytest.raises(RulesEngineError, match="there is no `on` 'lunch'"):
        typed(completed({"on": "lunch"}))


def test_every_subject_has_triggers_facts_of_its_own_and_the_facts_of_all() -> None:
    shared = facts_of(*Subject).keys()
    assert {"on", "tenant", "weekday", "local_time", "business_open"} <= shared
    for subject in Subject:
        assert subject in TRIGGERS.values()
        assert any(spec.subjects == (subject,) for spec in CATALOGUE.values())


def one(on: str, when: str = "{weekday: sun}", then: str = "[{record: {note: n}}]") -> str:
    return (
        f"name: p\nrules:\n  - id: r\n    description: d\n    on: {on}\n"
        f"    when: {when}\n    then: {then}\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (one("[lane_status]", "{channel: email}"),
         ("line 6: `channel` is no fact of a lane, which `on` is about; it may ask business_open, "
         "lane, lane_share, lane_signal, lane_status, lane_status_before, lateness_s, local_time, "
         "on, pressure, score, tenant, weekday")),
        (one("[created]", "{all: [{active: true}, {not: {any: [{agent: kim}]}}]}"),
         "line 6: `agent` is no fact of a ticket, which `on` is about"),
        (one("[roster]", "{local_time: {within: shift}}"),
         "line 6: `owner_on_shift` is no fact of a roster"),
        (one("[created, lane_status]", "{channel: email}"),
         ("line 6: `on` mixes ticket and lane, and `channel` is not a fact of each: split the "
         "rule, or ask only business_open, lateness_s, local_time, on, tenant, weekday")),
        (one("[created, callback]", "{callback_overdue: true}"),
         "line 6: `on` mixes ticket and callback, and `callback_overdue` is not a fact of each"),
        (one("[lane_statsu]"),
         "line 5: there is no event `lane_statsu`; did you mean `lane_status`?"),
        (one("[lane_status]", then="[resolve]"),
         ("line 7: a rule about a lane cannot `resolve`, which needs a ticket; possible: notify, "
         "record")),
        (one("[created, roster]", then="[assign]"),
         ("line 7: a rule about a roster cannot `assign`, which needs a ticket; possible: notify, "
         "record")),
        (one("[callback]", then="[{macro: {name: greet}}]"),
         "line 7: a rule about a callback cannot `macro`, which needs a ticket"),
        (one("[callback, lane_status]", then="[{notify: {to: owner, template: t}}]"),
         ("line 7: a rule about a lane has no owner to notify; possible: channel, lead, "
         "manager, on_call")),
        (one("[callback]", then="[{assign: {strategy: sticky}}]"),
         ("line 7: a rule about a callback cannot `assign`, which needs a ticket; possible: "
         "escalate, lock_owner, notify, record, reply")),
        (one("[roster]", then="[{record: {note: '{ticket_id}'}}]"),
         "line 7: `note` has no field `ticket_id`"),
        (one("[roster]", then="[{record: {note: '{channel}'}}]"),
         "line 7: `note` has no field `channel`"),
        (one("[roster]") + "    tests: [{facts: {channel: email}, then: []}]\n",
         "line 8: `channel` is no fact of a roster, which `on` makes it"),
        (one("[roster]") + "    tests: [{facts: {on: created, agent: k}, then: []}]\n",
         "line 8: `agent` is no fact of a ticket, which `on` makes it; did you mean `age_s`?"),
    ],
)  # fmt: skip
def test_what_a_rule_may_not_ask_or_do_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(PackError) as caught:
        pack_of(text)
    assert str(caught.value).startswith(f"p.yaml, {said}")
