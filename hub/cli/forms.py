"""Files that people write for a command, in YAML or JSON, and the times that they name."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rules import document
from support.calendar import in_utc, instant_of_reading
from support.errors import InputError, PackError, shortened


def read_form(file: Path) -> Mapping[str, Any]:
    """Return the mapping that a YAML or JSON file holds, else InputError with file and line."""
    try:
        form = document.read(file.read_text(encoding="utf-8"), str(file)).plain()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: is neither YAML nor JSON: {error}") from error
    except PackError as error:
        raise InputError(str(error), **error.details) from error
    if not isinstance(form, Mapping):
        raise InputError(f"{file}: must hold a mapping, such as `tz: Europe/Stockholm`")
    return form


def read_instant(text: str, tz: str) -> datetime:
    """Return the UTC instant of an ISO time; without offset it is a reading of a clock of `tz`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{shortened(text)} is no time: write 2026-03-02T09:00+01:00, or without offset a "
            f"reading of the calendar's clock ({tz})"
        ) from error
    return instant_of_reading(at, tz) if at.tzinfo is None else in_utc(at)
