"""Reads a rule pack from YAML, with the packs that it imports, and puts their rules together."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from rules.actions import Names
from rules.bundle import Bundle
from rules.document import Node, Place, only, suggest
from rules.imports import Source, gather
from rules.macros import MacroBook
from rules.pack import Pack, Rule
from rules.pack_scope import limits_of, read_settings, read_tenants
from rules.rule_form import Entry, identifier, read_entry

MOST_RULES = 2_000
REQUIRED_OF_PACK = ("name", "rules")
OPTIONAL_OF_PACK = ("imports", "settings", "tenant")


def read_pack(bundle: Bundle, macros: MacroBook) -> Pack:
    """Return the pack of `bundle`, whose macros are `macros`.

    Imported rules come first, in their order; a rule that overrides one takes its place.
    """

    def text_of(name: str, place: Place) -> str:
        if name not in bundle.imports:
            raise place.fault(f"there is no pack `{name}`{suggest(name, bundle.imports)}")
        return bundle.imports[name]

    sources = gather(bundle.text, bundle.file, text_of)
    names = Names(texts=frozenset(macros.texts), macros=frozenset(macros.actions))
    rules = _Merged()
    settings: dict[str, timedelta | int] = {}
    for source in sources:
        form = _form(source)
        settings |= read_settings(form["settings"]) if "settings" in form else {}
        rules.add(source, form["rules"], names)
    own = sources[-1].root.mapping("a pack")
    return Pack(
        name=identifier(own["name"], "`name`"),
        version=bundle.version,
        text=bundle.to_json(),
        file=bundle.file,
        rules=tuple(rules.found.values()),
        macros=macros,
        limits=limits_of(settings),
        tenants=read_tenants(own["tenant"]) if "tenant" in own else (),
        imports=tuple(source.name for source in sources[:-1]),
    )


def _form(source: Source) -> Mapping[str, Node]:
    form = source.root.mapping("a pack")
    only(form, (*REQUIRED_OF_PACK, *OPTIONAL_OF_PACK), "a pack")
    for key in REQUIRED_OF_PACK:
        if key not in form:
            raise source.root.place.fault(f"the pack has no `{key}`")
    return form


class _Merged:
    """The rules of several packs as far as they are put together, and which packs have each."""

    def __init__(self) -> None:
        self.found: dict[str, Rule] = {}
        self._within: dict[str, set[str]] = {}

    def add(self, source: Source, listed: Node, names: Names) -> None:
        """Add the rules of one pack, whose imports are here already."""
        for node in listed.items("`rules`"):
            if len(self.found) >= MOST_RULES:
                raise listed.place.fault(f"more than {MOST_RULES} rules: split the pack")
            entry = read_entry(node, names)
            self._refuse(entry, source)
            if entry.rule is None:
                self.found[entry.id] = replace(self.found[entry.id], enabled=entry.enabled)
            else:
                self.found[entry.id] = entry.rule
            self._within.setdefault(entry.id, set()).add(source.name)

    def _refuse(self, entry: Entry, source: Source) -> None:
        """Raise PackError where the id is taken, or nothing is there to override."""
        before, packs = self.found.get(entry.id), self._within.get(entry.id, set())
        imported = source.name not in packs and not packs.isdisjoint(source.beneath)
        if entry.override and not imported:
            ids = [i for i, w in self._within.items() if not w.isdisjoint(source.beneath)]
            raise entry.place.fault(
                f"no import has a rule `{entry.id}` to override"
                f"{suggest(entry.id, ids) if ids else ': leave `override` out'}"
            )
        if before is not None and not entry.override:
            where = (
                f"line {before.line}"
                if before.file == entry.place.file
                else (f"{before.file}, line {before.line}")
            )
            ways = (
                "say `override: true`, or give this one another id"
                if imported
                else ("give this one another id")
            )
            raise entry.place.fault(f"rule `{entry.id}` is here already, in {where}: {ways}")
