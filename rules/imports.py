"""Finds the packs that a pack is made of: itself, and what it imports, each once.

An import is the name of a pack that ships, or of a file next to the pack.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from rules.document import Node, Place, read

MOST_IMPORTS = 10
DEEPEST = 4
SHIPS_IN = "rules/packs/"
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.ya?ml")
_SHIPPED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

Fetch = Callable[[str, Place], str]
"""Returns the text of an import; PackError, at the place that names it, where there is none."""


@dataclass(frozen=True, slots=True)
class Source:
    """One pack as it is written. `beneath` are the names of all that it imports, at any depth."""

    name: str
    text: str
    root: Node
    beneath: frozenset[str]


def is_file(name: str) -> bool:
    """Whether an import names a file, and not a pack that ships."""
    return _FILE.fullmatch(name) is not None


def gather(text: str, file: str, fetch: Fetch) -> tuple[Source, ...]:
    """Return the packs that `text` is made of, what is imported before what imports it.

    Raises PackError for an import that is not there, that leads back to itself, or too many.
    """
    search = _Search(fetch)
    search.visit(file, text, file, ())
    return tuple(search.found.values())


@dataclass(slots=True)
class _Search:
    fetch: Fetch
    found: dict[str, Source] = field(default_factory=dict)
    known: int = 0

    def visit(self, name: str, text: str, file: str, above: tuple[str, ...]) -> Source:
        """Return a pack, with everything that it imports in `found` before it."""
        path = (*above, name)
        root = read(text, file)
        beneath: set[str] = set()
        for wanted, place in _imports(root):
            if wanted in path:
                round_trip = " -> ".join((*path[path.index(wanted) :], wanted))
                raise place.fault(f"imports go round in a circle, {round_trip}: take one out")
            if len(path) > DEEPEST:
                raise place.fault(
                    f"imports are more than {DEEPEST} deep, {' -> '.join((*path, wanted))}: "
                    "import it higher up"
                )
            source = self.found.get(wanted) or self._import(wanted, place, path)
            beneath |= {wanted, *source.beneath}
        source = Source(name, text, root, frozenset(beneath))
        self.found[name] = source
        return source

    def _import(self, name: str, place: Place, path: tuple[str, ...]) -> Source:
        self.known += 1
        if self.known > MOST_IMPORTS:
            raise place.fault(f"more than {MOST_IMPORTS} imports in all: put some together")
        shown = name if is_file(name) else f"{SHIPS_IN}{name}.yaml"
        return self.visit(name, self.fetch(name, place), shown, path)


def _imports(root: Node) -> list[tuple[str, Place]]:
    form = root.mapping("a pack")
    found: dict[str, Place] = {}
    for item in form["imports"].items("`imports`") if "imports" in form else ():
        name = item.word("`imports`")
        if not is_file(name) and not _SHIPPED.fullmatch(name):
            raise item.place.fault(
                f"`imports` cannot name {name[:80]!r}: name a pack that ships, such as `default`, "
                "or a file in the same folder, such as `team-base.yaml`"
            )
        if name in found:
            raise item.place.fault(f"`{name}` is imported twice: keep one")
        found[name] = item.place
    return list(found.items())
