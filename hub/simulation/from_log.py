"""The events of another system's log, read as a replay reads them."""

import asyncio
from pathlib import Path

from hub.progress import Progress
from hub.replay.events import in_order, roster_of
from hub.replay.mapping import load_mapping
from hub.replay.simulate import TENANT
from hub.replay.source import read_usable
from hub.simulation.feed import Entry, Head, write_feed

UNKNOWN = (
    "The log does not tell who was at work: everybody in it counts as online all the time.",
    "Customers and agents act as they did then, whatever the rules do.",
)


async def from_log(
    folder: Path, file: Path, mapping: Path | str, limit: int | None, progress: Progress
) -> Head:
    """Write the events of the first `limit` incidents (all for None) of `file` to `folder`.

    InputError says what is wrong with log or mapping.
    """
    return await asyncio.to_thread(_write, folder, file, mapping, limit, progress)


def _write(
    folder: Path, file: Path, mapping: Path | str, limit: int | None, progress: Progress
) -> Head:
    form = load_mapping(mapping)
    incidents = read_usable(file, form, limit, progress).incidents
    members = roster_of(incidents, form.roster)
    entries = (Entry(h.instant, h.ticket_id, h.event) for h in in_order(incidents, form))
    return write_feed(folder, Head(file.name, TENANT, members, unknown=UNKNOWN), entries)
