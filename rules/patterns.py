"""Regular expressions of packs, by RE2: they take time in line with the text, whatever they say."""

from functools import lru_cache

import re2

from rules.document import Node
from support.subjects import FactSpec

LONGEST_PATTERN = 500
LONGEST_SAID = 200
"""Characters of what RE2 says, which may repeat the pattern."""
MOST_MEMORY = 1 << 20
"""Bytes that one compiled pattern may take."""
MOST_KEPT = 512
"""Patterns that are kept compiled; one more is compiled again when it is next asked."""


@lru_cache(MOST_KEPT)
def _compiled(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = MOST_MEMORY
    options.log_errors = False
    options.never_capture = True
    return re2.compile(_bytes(pattern), options)


def read_pattern(spec: FactSpec, node: Node) -> str:
    """Return a regular expression that RE2 takes; PackError says what it has against others."""
    pattern = node.word(f"`matches` of `{spec.name}`")
    if len(pattern) > LONGEST_PATTERN:
        raise node.place.fault(
            f"`matches` of `{spec.name}` has more than {LONGEST_PATTERN} characters: shorten it"
        )
    if wrong := wrong_with(pattern):
        raise node.place.fault(
            f"`matches` of `{spec.name}` is no regular expression that RE2 takes: "
            f"{wrong[:LONGEST_SAID]}; see https://github.com/google/re2/wiki/Syntax"
        )
    return pattern


def wrong_with(pattern: str) -> str:
    """Return what RE2 says against a pattern; empty where it takes it."""
    try:
        _compiled(pattern)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return ""


def found_in(pattern: str, text: str) -> bool:
    """Whether `pattern` matches anywhere in `text`; `^` and `$` are the text's ends."""
    return _compiled(pattern).search(_bytes(text)) is not None


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")
