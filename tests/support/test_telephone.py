"""Telephone numbers are kept in one form, and shown to nobody by accident."""

import pytest

from support.errors import InputError
from support.telephone import masked, read_number

MOBILE = "+46701740605"


@pytest.mark.parametrize(
    "text", ["070-174 06 05", "+46 70 174 06 05", "0046701740605", "(070) 1740605", MOBILE]
)
def test_a_number_is_kept_in_one_form(text: str) -> None:
    found = read_number(text)
    assert (found.number, found.country) == (MOBILE, "SE")
    assert found.zones == ("Europe/Stockholm",)


def test_a_number_without_a_country_code_is_one_of_the_region() -> None:
    found = read_number("(212) 555-2368", "US")
    assert (found.number, found.country) == ("+12125552368", "US")
    assert found.zones == ("America/New_York",)


def test_a_number_of_no_country_is_read() -> None:
    assert read_number("+80012345678").country == "001"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "call me",
        "112",
        "12345",
        "+46 70 174 06 05 ext. 7",
        "0900 123 4567",
        "+999 123456789",
        "0" * 65,
    ],
)
def test_what_cannot_be_dialled_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InputError) as refusal:
        read_number(text)
    assert not text or text not in str(refusal.value)
    assert not any(digit in str(refusal.value).replace("+46 8 123 456 78", "") for digit in "79")
    assert "number" in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_an_unknown_region_is_named() -> None:
    with pytest.raises(InputError, match="region 'XX' is unknown"):
        read_number("070-174 06 05", "XX")


def test_a_number_is_masked_and_never_represented() -> None:
    assert masked(MOBILE) == "+46 ... 05"
    assert masked("+12125552368") == "+1 ... 68"
    assert masked("no number") == "..."
    assert "174" not in repr(read_number(MOBILE))
