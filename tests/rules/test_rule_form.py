"""Rest, settings and scope: how a pack and its rules say them."""

from datetime import timedelta

import pytest

from rules.handbook import pack_page
from rules.pack import OncePer
from support.errors import PackError
from support.limits import USUAL, Limits
from tests.rules.situations import pack_of

RULE = "{id: r, description: d, on: [note], then: [close]}"


def rule(more: str) -> str:
    return f"name: p\nrules:\n  - {RULE[:-1]},\n     {more}}}\n"


def pack(head: str) -> str:
    return f"name: p\n{head}\nrules: [{RULE}]\n"


def refusal(text: str) -> str:
    with pytest.raises(PackError) as caught:
        pack_of(text)
    return str(caught.value)


def test_a_rule_says_when_it_may_fire_again() -> None:
    (found,) = pack_of(rule("cooldown: 1h 30m, once_per: breach")).rules
    assert (found.cooldown, found.once_per) == (timedelta(minutes=90), OncePer.BREACH)
    (plain,) = pack_of(pack("")).rules
    assert (plain.cooldown, plain.once_per) == (None, None)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("cooldown: soon", "`cooldown`: 'soon' is no duration: write 90s, 45m, 1h 30m or 3d"),
        ("cooldown: 0s", "`cooldown` is 0s: give 1s to 30d"),
        ("cooldown: 31d", "`cooldown` is 31d: give 1s to 30d"),
        ("cooldown: 99999999999d", "is too long"),
        ("cooldown: 60", "`cooldown` is 60 of no unit: write 90s, 45m, 1h 30m or 3d"),
        ("coldown: 1h", "a rule has no `coldown`; did you mean `cooldown`?"),
        ("once_per: tickets", "`once_per` cannot be `tickets`; did you mean `ticket`?"),
        ("once_per: week", "`once_per` cannot be `week`; possible: breach, day, ticket"),
        ("once_per: [day]", "`once_per` must be text"),
        ("override: 1", "`override` must be true or false"),
    ],
)
def test_a_wrong_word_of_a_rule_is_refused_with_its_line(more: str, said: str) -> None:
    found = refusal(rule(more))
    assert said in found
    assert found.startswith("p.yaml, line 4: ")


def test_settings_of_a_pack_become_its_limits() -> None:
    text = pack("settings: {message_every: 2h, notifications_a_day: 3, deepest_chain: 1}")
    assert pack_of(text).limits == Limits(timedelta(hours=2), 3, 1, USUAL.most_rounds)
    assert pack_of(pack("")).limits == USUAL


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("settings: {message_evry: 2h}",
         "`settings` has no `message_evry`; did you mean `message_every`?"),
        ("settings: {message_every: 59s}", "`message_every` is 59s: give 1m to 30d"),
        ("settings: {message_every: 31d}", "`message_every` is 31d: give 1m to 30d"),
        ("settings: {message_every: 4}", "`message_every` is 4 of no unit: write 90s"),
        ("settings: {notifications_a_day: 0}", "must be a whole number from 1 to 100"),
        ("settings: {notifications_a_day: 101}", "must be a whole number from 1 to 100"),
        ("settings: {notifications_a_day: true}", "must be a whole number from 1 to 100"),
        ("settings: {deepest_chain: 21}", "`deepest_chain` must be a whole number from 1 to 20"),
        ("settings: {most_rounds: 1.5}", "`most_rounds` must be a whole number from 1 to 100"),
        ("settings: [a]", "`settings` must be a mapping"),
        ("setings: {}", "a pack has no `setings`; did you mean `settings`?"),
        ("tenants: [a]", "a pack has no `tenants`; did you mean `tenant`?"),
        ("tenant: a b", "`tenant`: tenant 'a b' is not allowed"),
        ("tenant: [acme, 7]", "`tenant` must be text"),
        ("tenant: []", "`tenant` must name 1 to 100 tenants"),
        ("tenant: {a: b}", "`tenant` must be text"),
    ],
)  # fmt: skip
def test_a_wrong_setting_or_scope_is_refused_with_its_line(head: str, said: str) -> None:
    found = refusal(pack(head))
    assert found.startswith("p.yaml, line 2: ")
    assert said in found


def test_a_pack_serves_the_tenants_that_it_names_and_else_all() -> None:
    one, two = pack_of(pack("tenant: acme")), pack_of(pack("tenant: [acme, demo, acme]"))
    assert (one.tenants, two.tenants) == (("acme",), ("acme", "demo"))
    assert (two.serves("demo"), two.serves("other")) == (True, False)
    assert pack_of(pack("")).serves("other")


def test_the_page_of_a_pack_shows_rest_scope_and_settings() -> None:
    text = rule("cooldown: 4h, once_per: day").replace(
        "name: p\n", "name: p\ntenant: acme\nsettings: {message_every: 2h, most_rounds: 5}\n"
    )
    page = pack_page(pack_of(text))
    assert "- on one ticket: once per day, not again within 4h\n" in page
    assert "- for tenant: acme\n- message_every: 2h\n- most_rounds: 5\n" in page
