"""Reads packs from files: the way in for worker, command line and simulation."""

from pathlib import Path

from rules import macros as macros_file
from rules.compiler import compile_pack
from rules.document import Place
from rules.pack import Pack
from rules.parse import read_pack
from rules.reach import refuse_idle_rules

SHIPPED = Path(__file__).parent / "packs" / "default.yaml"


def load_pack(path: Path | None, macros: Path | None = None) -> Pack:
    """Return the pack of a file, the shipped one for None, with its macros likewise.

    Raises PackError naming file, line and what to do; also when the engine could not hold it, or a
    rule in it can never fire.
    """
    file, macros_path = path or SHIPPED, macros or macros_file.SHIPPED
    return parse_pack(_text(file), _text(macros_path), file.name, macros_path.name)


def parse_pack(text: str, macros_text: str, file: str, macros_name: str) -> Pack:
    """Return the pack of texts; `file` and `macros_name` are what errors call them."""
    book = macros_file.read_macros(macros_text, macros_name)
    pack = read_pack(text, file, macros_text, book)
    compile_pack(pack)
    refuse_idle_rules(pack)
    return pack


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Place(path.name, 1).fault(f"the file cannot be read: {error}") from error
