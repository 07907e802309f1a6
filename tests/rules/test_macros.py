import pytest

from rules.actions import CATALOGUE
from rules.load import load_pack
from rules.macros import read_macros
from support.actions import ACTIONS
from support.errors import InputError, PackError
from tests.rules.situations import MACROS


def test_the_catalogue_lists_exactly_the_actions_that_exist() -> None:
    assert set(CATALOGUE) == {*ACTIONS, "macro"}


def test_the_macros_of_the_design_ship() -> None:
    assert set(load_pack(None).macros.actions) == {
        "received",
        "delay-update",
        "breach-internal",
        "chase-internal",
        "callback-apology",
        "no-reply-resolve",
        "handover",
    }


@pytest.mark.parametrize("name", sorted(load_pack(None).macros.texts))
def test_every_shipped_text_speaks_both_languages_and_names_the_ticket(name: str) -> None:
    book = load_pack(None).macros
    values = {"ticket_id": "T-1042", "follow_up": ""}
    swedish, english = book.render(name, "sv", values), book.render(name, "en", values)
    assert swedish != english
    assert "T-1042" in swedish
    assert "T-1042" in english


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("sv", "Hej T-1"), ("sv-SE", "Hej T-1"), ("sv_SE", "Hej T-1"), ("en-GB", "Hello T-1, until x"),
     ("ar", "Hello T-1, until x"), ("", "Hello T-1, until x")],
)  # fmt: skip
def test_a_text_is_rendered_in_the_nearest_language(locale: str, expected: str) -> None:
    book = read_macros(MACROS, "m.yaml")
    assert book.render("hello", locale, {"ticket_id": "T-1", "follow_up": "x"}) == expected


def test_values_are_put_in_as_they_are() -> None:
    book = read_macros(MACROS, "m.yaml")
    assert book.render("hello", "sv", {"ticket_id": "{follow_up}"}) == "Hej {follow_up}"


def test_what_cannot_be_rendered_is_an_input_error() -> None:
    book = read_macros(MACROS, "m.yaml")
    with pytest.raises(InputError, match="did you mean `hello`"):
        book.render("helo", "sv", {})
    with pytest.raises(InputError, match="needs a value for 'ticket_id'"):
        book.render("hello", "sv", {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('texts: {a: {sv: "{ticket}", en: x}}', "has no field `ticket`; did you mean `ticket_id`?"),
        ('texts: {a: {sv: "{ticket_id.x}", en: x}}', "has no field `ticket_id.x`"),
        ('texts: {a: {sv: "{}", en: x}}', "has no field ``"),
        ('texts: {a: {sv: "{ticket_id!r}", en: x}}', "without a format"),
        ('texts: {a: {sv: "{ticket_id:>{follow_up}}", en: x}}', "without a format"),
        ('texts: {a: {sv: "{", en: x}}', "write {{ for a brace"),
        ("texts: {a: {sv: x}}", "text `a` has no `en`"),
        ("texts: {a: {sv: x, en: y, dd: z}}", "has no `dd`"),
        ("macros: {a: [{macro: {name: a}}]}", "a macro cannot run another macro"),
        ("macros: {a: [{reply: {text: b}}]}", "`text` cannot be `b`"),
        ("macro: {}", "did you mean `macros`?"),
    ],
)
def test_a_bad_macros_file_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(PackError) as caught:
        read_macros(text, "m.yaml")
    assert str(caught.value).startswith("m.yaml, line 1: ")
    assert said in str(caught.value)
