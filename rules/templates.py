"""Texts with `{field}`s, as packs and macros hold them: checked when they are read.

A field is a name and nothing more, so a text reaches no attribute, index or format of a value.
`support.templates` fills them in.
"""

import string
from collections.abc import Iterable, Sequence

from rules.document import Node, suggest
from support.situation import facts_of
from support.subjects import Subject

TICKET_ID = "ticket_id"
_OF_A_TICKET = frozenset({Subject.TICKET, Subject.CALLBACK})
_FORMATTER = string.Formatter()


def fields_of(subjects: Sequence[Subject]) -> frozenset[str]:
    """Return the fields that texts of such rules may hold."""
    more = {TICKET_ID} if _OF_A_TICKET.issuperset(subjects) else set()
    return frozenset(facts_of(*subjects)) | more


def read_template(node: Node, what: str, fields: Iterable[str]) -> str:
    """Return a text whose fields are all among `fields`; PackError names the line."""
    text = node.word(what)
    try:
        parts = list(_FORMATTER.parse(text))
    except ValueError as error:
        raise node.place.fault(f"{what}: {error}; write {{{{ for a brace") from error
    known = frozenset(fields)
    for _, field, spec, conversion in parts:
        if field is None:
            continue
        if field not in known:
            raise node.place.fault(f"{what} has no field `{field}`{suggest(field, known)}")
        if spec or conversion:
            raise node.place.fault(f"{what}: write `{{{field}}}` without a format")
    return text
