"""Two packs on a small log that is made here."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import yaml

from hub.replay.mapping import SHIPPED
from hub.simulation.from_log import from_log
from hub.simulation.models import TicketDifference
from hub.simulation.run import Packs, Simulated, simulate
from rules.load import load_pack
from rules.policies_file import load_policies
from tests.replay.exporting import Row, quiet, row, write_log

BEFORE = """
name: own
rules:
  - {id: take, description: d, on: [created], when: {owner_set: false}, then: [assign]}
  - id: early
    description: d
    on: [deadline]
    when: {due_kind: step, step_fraction: {lt: 1.0}}
    then: [{escalate: {to: owner}}]
"""
AFTER = BEFORE.replace("{lt: 1.0}}", "{lt: 1.0}, channel: phone}")


def packs(folder: Path, before: str = BEFORE, after: str = AFTER) -> Packs:
    """Both packs, as files give them."""
    read = []
    for name, text in (("before.yaml", before), ("after.yaml", after)):
        file = folder / name
        file.write_text(text, encoding="utf-8")
        read.append(load_pack(file))
    return Packs(read[0], read[1], load_policies(None)[1], engine_timeout_s=30)


def mapping(folder: Path, capacity_units: float = 12) -> Path:
    """The mapping that ships, with agents of this capacity."""
    form = yaml.safe_load((SHIPPED / "servicenow-incidents.yaml").read_text())
    form["roster"] = {"capacity_units": capacity_units, "leads": False}
    file = folder / "mapping.yaml"
    file.write_text(yaml.safe_dump(form))
    return file


def dozen() -> list[Row]:
    """Twelve incidents: the odd ones come by phone; the first four are resolved within an hour."""
    rows: list[Row] = []
    for number in range(1, 13):
        name = f"INC-{number:02}"
        how = "Phone" if number % 2 else "Email"
        end = "Resolved" if number <= 4 else "New"
        after_h = 1 if number <= 4 else 24 * 30
        rows.append(row(name, contact_type=how, assigned_to="Kim"))
        last = row(name, 1, after_h, contact_type=how, assigned_to="Kim", incident_state=end)
        rows.append(last)
    return rows


async def tried(
    folder: Path,
    rows: Iterable[Row],
    tried_packs: Packs,
    *,
    capacity_units: float = 12,
    tickets: int = 100,
) -> Simulated:
    """Simulate both packs on a log of `rows`; `folder` is the test's own."""
    file = write_log(folder / "log.csv", rows)
    source = partial(
        from_log,
        file=file,
        mapping=mapping(folder, capacity_units),
        limit=None,
        progress=quiet,
    )
    space = folder / "space"
    space.mkdir()
    return await simulate(tried_packs, source, space, tickets=tickets, progress=quiet)


def differing(done: Simulated) -> dict[str, TicketDifference]:
    """Every ticket that differs, as the JSON tells it."""
    with done.differing.open(encoding="utf-8") as file:
        read = [TicketDifference.model_validate_json(line) for line in file]
    return {ticket.ticket_id: ticket for ticket in read}
