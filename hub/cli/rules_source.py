"""How a command names a pack: a file, a published VERSION or its number, `active` or `own`."""

import re
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.session import run, store
from hub.publishing import OWN_WORD, active_pack, stored_pack
from rules.load import load_pack
from rules.pack import Pack
from settings import read_settings
from store import packs
from support.errors import InputError

ACTIVE = "active"
_VERSION = re.compile(r"[0-9a-f]{12}")
_NUMBER = re.compile(r"[0-9]{1,9}")
WHAT = f"a file, a published VERSION or its number, `active`, or `{OWN_WORD}`: that of the settings"

PackWord = Annotated[
    str,
    typer.Argument(
        metavar="[PACK]",
        help=f"Rule pack: {WHAT}; default: FLOWHUB_PACK, else the one that ships.",
    ),
]


def pack_named(word: str, tenant: str) -> Pack:
    """Return the pack that `word` names, for nothing the one of the settings.

    A file comes first. Raises typer.BadParameter where there is none of that name, PackError where
    it is refused.
    """
    if word in ("", OWN_WORD) and not Path(word or ".").is_file():
        return load_pack(read_settings().pack)
    file = Path(word)
    if file.is_file():
        return load_pack(file)
    if word != ACTIVE and not _VERSION.fullmatch(word) and not _NUMBER.fullmatch(word):
        raise typer.BadParameter(f"there is no file {word!r}: name {WHAT}")

    async def work() -> Pack:
        async with store() as pool:
            if word == ACTIVE:
                return (await active_pack(pool, read_settings(), tenant=tenant))[1]
            async with pool.connection() as conn:
                version = word
                if not _VERSION.fullmatch(word):
                    found = await packs.publication(conn, tenant=tenant, number=int(word))
                    if found is None:
                        raise InputError(
                            f"{tenant} has no publication {word}: see `flowhub rules history`"
                        )
                    if not found.version:
                        raise InputError(
                            f"publication {word} of {tenant} holds no pack, for it went back to "
                            "the pack of the worker's settings, or changed who may publish"
                        )
                    version = found.version
                return await stored_pack(conn, version, tenant=tenant)

    return run(work)
