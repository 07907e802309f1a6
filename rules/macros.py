"""Macros, which are named lists of actions, and the texts that automation writes to customers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rules.actions import Names, read_actions
from rules.document import Node, only, read, suggest
from rules.templates import fields_of, read_template
from support.errors import InputError
from support.needs import RuleAction
from support.subjects import Subject
from support.templates import filled

SHIPPED = Path(__file__).parent / "macros" / "default.yaml"
FIELDS = frozenset({"ticket_id", "follow_up"})
LOCALES = ("sv", "en")
FALLBACK = "en"


@dataclass(frozen=True, slots=True)
class MacroBook:
    """Macros by name, and texts by name and locale."""

    actions: Mapping[str, tuple[RuleAction, ...]]
    texts: Mapping[str, Mapping[str, str]]

    def render(self, name: str, locale: str, values: Mapping[str, str]) -> str:
        """Return text `name` in the locale's language, English where there is none, filled in.

        Raises InputError for a text that is not there, or a field without a value.
        """
        text = self.texts.get(name)
        if text is None:
            raise InputError(f"there is no text {name!r}{suggest(name, self.texts)}")
        language = locale.replace("_", "-").partition("-")[0].lower()
        return filled(text.get(language, text[FALLBACK]), values)


def read_macros(text: str, file: str) -> MacroBook:
    """Return the book of a macros file; PackError names file, line and what to do."""
    form = read(text, file).mapping("a macros file")
    only(form, ("texts", "macros"), "a macros file")
    texts = {name: _texts(node, name) for name, node in _part(form, "texts").items()}
    names = Names(frozenset(texts), macros=None, fields=fields_of((Subject.TICKET,)))
    macros = {
        name: read_actions(node, f"macro.{name}", names)
        for name, node in _part(form, "macros").items()
    }
    return MacroBook(macros, texts)


def _part(form: dict[str, Node], name: str) -> dict[str, Node]:
    return form[name].mapping(f"`{name}`") if name in form else {}


def _texts(node: Node, name: str) -> dict[str, str]:
    found = node.mapping(f"text `{name}`")
    only(found, LOCALES, f"text `{name}`")
    for locale in LOCALES:
        if locale not in found:
            raise node.place.fault(f"text `{name}` has no `{locale}`: write it in that language")
    return {
        locale: read_template(value, f"text `{name}`", FIELDS) for locale, value in found.items()
    }
