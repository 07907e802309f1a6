"""Files that people write for a command, in YAML or JSON, and the times that they name."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from support.calendar import instant_of_reading
from support.errors import InputError


def read_form(file: Path) -> Mapping[str, Any]:
    """Return the mapping that a YAML or JSON file holds; InputError naming the file otherwise."""
    try:
        form = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{file}: is neither YAML nor JSON: {error}") from error
    if not isinstance(form, Mapping):
        raise InputError(f"{file}: must hold a mapping, such as `tz: Europe/Stockholm`")
    return form


def read_instant(text: str, tz: str) -> datetime:
    """Return the UTC instant of an ISO time; without offset it is a reading of a clock of `tz`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{text!r} is no time: write 2026-03-02T09:00+01:00, or without offset a reading of "
            f"the calendar's clock ({tz})"
        ) from error
    return instant_of_reading(at, tz) if at.tzinfo is None else at.astimezone(UTC)
