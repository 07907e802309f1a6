"""Reads packs from files: the way in for worker, command line and simulation."""

from difflib import get_close_matches
from pathlib import Path

from rules import macros as macros_file
from rules.bundle import Bundle
from rules.compiler import compile_pack
from rules.document import MOST_CHARACTERS, Place, suggest
from rules.imports import gather, is_file
from rules.pack import Pack
from rules.parse import read_pack
from rules.reach import refuse_idle_rules

SHIPPED = Path(__file__).parent / "packs" / "default.yaml"
_BYTES_A_CHARACTER = 4


def load_pack(path: Path | None, macros: Path | None = None) -> Pack:
    """Return the pack of a file, the shipped one for None, with its macros likewise.

    Raises PackError naming file, line and what to do; also when the engine could not hold it, or a
    rule in it can never fire.
    """
    return parse_pack(load_bundle(path, macros))


def load_bundle(path: Path | None, macros: Path | None = None) -> Bundle:
    """Return the texts that a pack is made of, with all that it imports; files as `load_pack`."""
    file, macros_path = path or SHIPPED, macros or macros_file.SHIPPED

    def text_of(name: str, place: Place) -> str:
        found = file.parent / name if is_file(name) else SHIPPED.parent / f"{name}.yaml"
        if not found.is_file():
            raise place.fault(f"there is no pack `{name}`{_near(name, file)}")
        return _text(found)

    text = _text(file)
    imported = gather(text, file.name, text_of)[:-1]
    return Bundle(
        text=text,
        macros=_text(macros_path),
        file=file.name,
        macros_file=macros_path.name,
        imports={source.name: source.text for source in imported},
    )


def parse_pack(bundle: Bundle) -> Pack:
    """Return the pack of texts, as `load_pack` does of files."""
    pack = read_pack(bundle, macros_file.read_macros(bundle.macros, bundle.macros_file))
    compile_pack(pack)
    refuse_idle_rules(pack)
    return pack


def _near(name: str, importing: Path) -> str:
    """Return what may have been meant; names of files are compared without their ending."""
    shipped = {found.stem: found.stem for found in SHIPPED.parent.glob("*.yaml")}
    beside = {
        found.stem: found.name for found in importing.parent.glob("*.y*ml") if found.is_file()
    }
    beside.pop(importing.stem, None)
    known = {**shipped, **beside}
    near = get_close_matches(name.rsplit(".", 1)[0], known, n=1)
    if near:
        return f"; did you mean `{known[near[0]]}`?"
    return f"; put that file beside {importing.name}" if is_file(name) else suggest(name, shipped)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_CHARACTERS * _BYTES_A_CHARACTER:
            raise Place(path.name, 1).fault(
                f"the file has more than {MOST_CHARACTERS} characters: split it"
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Place(path.name, 1).fault(f"the file cannot be read: {error}") from error
