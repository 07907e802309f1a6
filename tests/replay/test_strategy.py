"""The same rules with another strategy: only how an owner is chosen is another."""

from hub.replay.strategy import macros_with_strategy, with_strategy
from support.needs import EvaluateRules, RuleAction, RuleVerdict, Wanted
from support.routing import Strategy

ASSIGN = RuleAction("r", "assign", {"strategy": "least_loaded", "team": "desk"})
NOTIFY = RuleAction("r", "notify", {"to": "lead", "template": "t"})
VERDICT = RuleVerdict(("r",), (ASSIGN, NOTIFY), (), "pack", "1")
TURNED = RuleAction("r", "assign", {"strategy": "round_robin", "team": "desk"})


def test_an_assignment_keeps_all_but_its_strategy() -> None:
    judge = with_strategy(lambda _question: VERDICT, Strategy.ROUND_ROBIN)
    verdict = judge(EvaluateRules({}))
    assert isinstance(verdict, RuleVerdict)
    assert verdict.actions == (TURNED, NOTIFY)
    assert (verdict.fired, verdict.pack_version) == (VERDICT.fired, VERDICT.pack_version)


def test_an_assignment_that_names_no_strategy_gets_one() -> None:
    macros = {"m": (RuleAction("r", "assign", {}), NOTIFY)}
    assert macros_with_strategy(macros, Strategy.ROUND_ROBIN) == {
        "m": (RuleAction("r", "assign", {"strategy": "round_robin"}), NOTIFY)
    }


def test_what_rules_want_to_know_is_passed_on() -> None:
    judge = with_strategy(lambda _question: Wanted(("customer",)), Strategy.ROUND_ROBIN)
    assert judge(EvaluateRules({})) == Wanted(("customer",))
