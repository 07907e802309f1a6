"""When people may be called: legal calling hours by the country of their number, as data.

This is no legal advice. Most of these laws are about calls that nobody asked for, and a callback
was asked for; they are kept all the same, because a country's law says best when people there do
not want to be rung. No entry is wider than the product's own 08-20. Whoever knows better hands
`CallingHours.from_dict` other hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from support.calendar import DAYS, BusinessCalendar
from support.errors import CalendarError

USUAL = "usual"
"""Key of the hours of every country that has none of its own."""
_KEYS = {"hours", "public_holidays", "source"}
_WEEKDAYS, _DAILY = DAYS[:5], DAYS


def _each(days: tuple[str, ...], *windows: tuple[str, str]) -> dict[str, list[tuple[str, str]]]:
    return {day: list(windows) for day in days}


SHIPPED: Mapping[str, Mapping[str, Any]] = {
    USUAL: {
        "hours": _each(_DAILY, ("08:00", "20:00")),
        "source": "the product's own: 08-20 where the customer is, every day",
    },
    "AU": {
        "hours": {**_each(_WEEKDAYS, ("09:00", "20:00")), "sat": [("09:00", "17:00")]},
        "public_holidays": True,
        "source": "Telecommunications (Telemarketing and Research Calls) Industry Standard 2017: "
        "weekdays 9-20, Saturday 9-17, not on Sundays and national public holidays",
    },
    "CA": {
        "hours": {
            **_each(_WEEKDAYS, ("09:00", "20:00")),
            **_each(("sat", "sun"), ("10:00", "18:00")),
        },
        "source": "CRTC Unsolicited Telecommunications Rules, part III: weekdays 9-21:30, "
        "weekends 10-18",
    },
    "ES": {
        "hours": _each(_WEEKDAYS, ("09:00", "20:00")),
        "public_holidays": True,
        "source": "Real Decreto Legislativo 1/2007, article 96.2: 9-21, not on weekends and "
        "public holidays",
    },
    "FR": {
        "hours": _each(_WEEKDAYS, ("10:00", "13:00"), ("14:00", "20:00")),
        "public_holidays": True,
        "source": "Decret 2022-1313, Code de la consommation D223-9: weekdays 10-13 and 14-20, "
        "not on weekends and public holidays",
    },
    "IN": {
        "hours": _each(_DAILY, ("09:00", "20:00")),
        "source": "TRAI, Telecom Commercial Communications Customer Preference Regulations: 9-21",
    },
    "IT": {
        "hours": {**_each(_WEEKDAYS, ("09:00", "20:00")), "sat": [("10:00", "19:00")]},
        "public_holidays": True,
        "source": "Codice di condotta telemarketing, Garante 148 of 7 March 2024: weekdays "
        "9-20, Saturday 10-19, not on Sundays and public holidays",
    },
    "US": {
        "hours": _each(_DAILY, ("08:00", "20:00")),
        "source": "47 CFR 64.1200(c)(1): 8-21 where the called party is",
    },
}
"""Entries by ISO code, each with the source that it was taken from."""


@dataclass(frozen=True, slots=True)
class CallingHours:
    """Legal calling hours of every country; `forms` as in SHIPPED."""

    forms: Mapping[str, Mapping[str, Any]]
    _made: dict[tuple[str, str], BusinessCalendar] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def from_dict(cls, forms: Mapping[str, Mapping[str, Any]]) -> Self:
        """Return the shipped hours with those of `forms` in their place.

        A form has `hours` as in a business calendar, by the clock where the customer is; with
        `public_holidays: true` the country's public holidays are closed; `source` says where it
        was taken from. Raises CalendarError.
        """
        found = cls({**SHIPPED, **forms})
        for country, form in forms.items():
            unknown = sorted(str(key) for key in form.keys() - _KEYS)
            if unknown:
                raise CalendarError(
                    f"calling hours of {country}: field {unknown[0]!r} is unknown: use "
                    f"{', '.join(sorted(_KEYS))}",
                    field=unknown[0],
                )
            if not form.get("source"):
                raise CalendarError(
                    f"calling hours of {country} need their `source`: name the law or the decision",
                    field="source",
                )
            found.calendar(country, "UTC")
        return found

    def source(self, country: str) -> str:
        """Where the hours of a country were taken from."""
        return str(self._form(country)["source"])

    def calendar(self, country: str, zone: str) -> BusinessCalendar:
        """When a customer with a number of `country` may be called who is in `zone`."""
        known = self._made.get((country, zone))
        if known is None:
            form = self._form(country)
            calendar: dict[str, Any] = {"tz": zone, "hours": form["hours"]}
            if form.get("public_holidays"):
                calendar["public_holidays"] = {"country": country}
            known = BusinessCalendar.from_dict(calendar)
            self._made[country, zone] = known
        return known

    def _form(self, country: str) -> Mapping[str, Any]:
        return self.forms.get(country, self.forms[USUAL])


LEGAL_HOURS = CallingHours(SHIPPED)
"""The hours that ship."""
