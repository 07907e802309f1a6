"""Facts and packs for the tests of rules: a quiet ticket, changed where a test says so."""

from typing import Any

from rules.bundle import Bundle
from rules.load import parse_pack
from rules.macros import read_macros
from rules.pack import Pack
from rules.parse import read_pack
from rules.values import completed

MACROS = """
texts:
  hello: {sv: "Hej {ticket_id}", en: "Hello {ticket_id}, until {follow_up}"}
macros:
  greet: [{reply: {text: hello}}, resolve]
"""


def facts(**changed: Any) -> dict[str, Any]:
    """All facts of a quiet ticket that was just created, with some changed."""
    ready = {"on": "created", "channel": "phone", "priority": "normal", "status": "open"}
    return completed({**ready, "active": True, **changed})


def pack_of(text: str, macros: str = MACROS) -> Pack:
    """The pack of a YAML text, called p.yaml."""
    return parse_pack(Bundle(text, macros, "p.yaml", "m.yaml"))


def unjudged_pack_of(text: str) -> Pack:
    """The pack of a YAML text, also where the engine cannot hold it or a rule can never fire."""
    return read_pack(Bundle(text, MACROS, "p.yaml", "m.yaml"), read_macros(MACROS, "m.yaml"))


def one_rule(when: str, on: str = "[created]", then: str = "[resolve]") -> Pack:
    """A pack of one rule named `r` with this condition."""
    return pack_of(
        f"name: p\nrules:\n  - id: r\n    description: d\n    on: {on}\n"
        f"    when: {when}\n    then: {then}\n"
    )
