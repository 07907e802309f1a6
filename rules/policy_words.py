"""What pydantic found wrong in a policies file, in the words of this project."""

from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rules.document import suggest
from support.errors import PolicyError, shortened

_TEXT = "must be text: put it in quotes"
_LIST = "must be a list, such as `[a, b]`"
_MAPPING = "must be a mapping of `key: value`"
_WHOLE = "must be a whole number"
_WORDS: Mapping[str, str] = {
    "missing": "is missing: add it",
    "string_type": _TEXT,
    "string_too_short": "is blank: write something",
    "string_pattern_mismatch": "is blank: write something",
    "string_too_long": "is longer than {max_length} characters: shorten it",
    "tuple_type": _LIST,
    "frozen_set_type": _LIST,
    "too_short": "is empty: give at least one",
    "mapping_type": _MAPPING,
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "enum": "{value} is not possible: use {expected}",
}


def in_own_words(error: ValidationError, fields: frozenset[str]) -> PolicyError:
    """Return the first fault with its place; `fields` are suggested for an unknown one."""
    fault = error.errors()[0]
    loc = tuple(part for part in fault["loc"] if part != "[key]")
    where = ".".join(str(part) for part in loc)
    said = _said(fault, fields)
    return PolicyError(f"`{where}` {said}" if where else f"the file {said}", at=loc)


def _said(fault: ErrorDetails, fields: frozenset[str]) -> str:
    about = fault.get("ctx", {})
    if fault["type"] == "value_error":
        return f"is wrong: {about['error']}"
    if fault["type"] == "extra_forbidden":
        return f"is unknown{suggest(str(fault['loc'][-1]), fields)}"
    words = _WORDS.get(fault["type"])
    if words is None:
        return f"is wrong: {fault['msg']}"
    return words.format(**about, value=shortened(fault["input"]))
