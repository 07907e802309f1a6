"""Reads packs from files: the way in for worker, command line and simulation."""

from pathlib import Path

from rules import macros as macros_file
from rules.bundle import Bundle
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
    return parse_pack(
        Bundle(
            text=_text(file),
            macros=_text(macros_path),
            file=file.name,
            macros_file=macros_path.name,
        )
    )


def parse_pack(bundle: Bundle) -> Pack:
    """Return the pack of texts, as `load_pack` does of files."""
    pack = read_pack(bundle, macros_file.read_macros(bundle.macros, bundle.macros_file))
    compile_pack(pack)
    refuse_idle_rules(pack)
    return pack


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Place(path.name, 1).fault(f"the file cannot be read: {error}") from error
