"""Telephone numbers: read in any usual form, kept in E.164, shown masked.

The text of a number is personal. It never stands in an error or a representation, and lives in the
store alone; everything else carries a reference to it.
"""

from dataclasses import dataclass, field

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType
from phonenumbers.timezone import time_zones_for_number

from support.errors import InputError

DEFAULT_REGION = "SE"
"""Country in which a number without its country code is read, unless somebody says another."""
_LONGEST = 64
_UNKNOWN_ZONE = "Etc/Unknown"
_WHAT_TO_DO = "write it with its country code, such as +46 8 123 456 78"


@dataclass(frozen=True, slots=True)
class Telephone:
    """A number that can be dialled: `number` in E.164, never shown by `repr`.

    `country` is its ISO code, `001` where it belongs to none. `zones` are the IANA zones where it
    may be; empty where that is not known.
    """

    number: str = field(repr=False)
    country: str
    zones: tuple[str, ...]


def read_number(text: str, region: str = DEFAULT_REGION) -> Telephone:
    """Read a number; one without a country code is one of `region`.

    Raises InputError, which does not repeat the number: for what is none, for one with an
    extension, and for one that costs whoever dials it.
    """
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise InputError(
            f"region {region[:8]!r} is unknown: use the ISO code of a country, such as SE",
            field="region",
        )
    if len(text) > _LONGEST:
        raise _refused(f"has more than {_LONGEST} characters")
    try:
        found = phonenumbers.parse(text, region)
    except NumberParseException:
        raise _refused("cannot be read") from None
    if found.extension:
        raise _refused("has an extension, which cannot be dialled: leave it out")
    if not phonenumbers.is_valid_number(found):
        raise _refused(f"is not in use, read as one of {region}")
    if phonenumbers.number_type(found) == PhoneNumberType.PREMIUM_RATE:
        raise _refused("is of premium rate, which nobody is called back on: give another")
    zones = time_zones_for_number(found)
    return Telephone(
        number=phonenumbers.format_number(found, PhoneNumberFormat.E164),
        country=phonenumbers.region_code_for_number(found) or "001",
        zones=tuple(zone for zone in zones if zone != _UNKNOWN_ZONE),
    )


def _refused(why: str) -> InputError:
    what_to_do = "" if ":" in why else f": {_WHAT_TO_DO}"
    return InputError(f"the telephone number {why}{what_to_do}", field="number")


def masked(number: str) -> str:
    """Show a number in E.164 to who may not see it: `+46 ... 67`."""
    try:
        found = phonenumbers.parse(number, None)
    except NumberParseException:
        return "..."
    return f"+{found.country_code} ... {number[-2:]}"
