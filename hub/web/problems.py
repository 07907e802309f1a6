"""What is wrong with a form, in the words of who sends it: nothing of how the hub is written."""

from collections.abc import Mapping
from typing import Any

_OBJECT = frozenset({"model_type", "model_attributes_type", "dict_type", "dataclass_type"})


def problem_of(error: Mapping[str, Any]) -> tuple[str, str]:
    """Return the field that an error of pydantic is about, dotted, and what is wrong with it."""
    loc = tuple(str(part) for part in error["loc"])
    if error["type"] == "json_invalid":
        return ".".join(loc[:1]), f"is not valid JSON at character {loc[-1] if loc else 0}"
    if error["type"] in _OBJECT:
        return ".".join(loc), "must be a JSON object"
    return ".".join(loc), str(error["msg"]).removeprefix("Value error, ")
