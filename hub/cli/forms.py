"""Files that people write for a command, in YAML or JSON."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rules import document
from support.errors import InputError, PackError


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
