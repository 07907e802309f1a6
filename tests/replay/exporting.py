"""An invented export with the columns of a real one: every value is made here."""

import csv
import gzip
import io
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

Row = Mapping[str, str]

COLUMNS = (
    "number", "incident_state", "active", "reassignment_count", "reopen_count", "sys_mod_count",
    "made_sla", "caller_id", "opened_by", "opened_at", "sys_updated_by", "sys_updated_at",
    "contact_type", "priority", "assignment_group", "assigned_to", "closed_code", "resolved_by",
    "resolved_at", "closed_at",
)  # fmt: skip
START = datetime(2016, 3, 1, 9)  # noqa: DTZ001  the export has no zone
TEAMS = ("Network desk", "Mail desk", "Print desk")
PRIORITIES = ("1 - Critical", "2 - High", "3 - Moderate", "3 - Moderate", "4 - Low")


def row(number: str = "TST0000001", sequence: int = 0, after_h: float = 0, **more: str) -> Row:
    """One row of an incident that opened at START; `more` by column."""
    at = f"{START + timedelta(hours=after_h):%d/%m/%Y %H:%M}"
    return {
        **dict.fromkeys(COLUMNS, "?"),
        "number": number,
        "incident_state": "New",
        "sys_mod_count": str(sequence),
        "made_sla": "true",
        "caller_id": "Caller A",
        "opened_by": "Opener A",
        "opened_at": f"{START:%d/%m/%Y %H:%M}",
        "sys_updated_by": "Updater A",
        "sys_updated_at": at,
        "contact_type": "Email",
        "priority": "3 - Moderate",
        "assignment_group": TEAMS[0],
        "assigned_to": "Resolver A",
        **more,
    }


def incident(number: int, rng: random.Random) -> list[Row]:
    """A whole life: some wait, some change priority or team, some are late, some come back."""
    opened = START + timedelta(minutes=rng.randrange(0, 3000, 10))
    at, sequence, rows = opened, 0, list[Row]()
    late = rng.random() < 0.4
    fixed = {
        "opened_at": f"{opened:%d/%m/%Y %H:%M}",
        "caller_id": f"Caller {rng.randrange(9)}",
        "contact_type": rng.choice(["Phone", "Email", "Self service"]),
        "made_sla": "true",
    }
    changing = {
        "priority": rng.choice(PRIORITIES),
        "assignment_group": rng.choice(TEAMS),
        "assigned_to": f"Resolver {rng.randrange(6)}",
    }
    states = ["New", "New", "Active"]
    states += rng.choice([[], ["Awaiting User Info", "Active"], ["Awaiting Vendor"], ["Active"]])
    states += ["Resolved", *rng.choice([[], [], ["Active", "Resolved"]]), "Closed"]
    for state in states:
        if rng.random() < 0.15:
            changing["priority"] = rng.choice(PRIORITIES)
        if rng.random() < 0.15:
            changing["assignment_group"] = rng.choice(TEAMS)
        if state == "Closed":
            at += timedelta(hours=100)
            fixed["made_sla"] = "false" if late else "true"
        name = f"TST{number:07d}"
        stamp = {"sys_updated_at": f"{at:%d/%m/%Y %H:%M}", "incident_state": state}
        rows.append({**row(name, sequence), **fixed, **changing, **stamp})
        sequence += rng.choice([1, 1, 2])
        at += timedelta(minutes=rng.choice([0, 10, 240, 1500 if late else 120]))
    return rows


def life(incidents: int = 24, seed: int = 7) -> list[Row]:
    """Rows of many incidents, as such an export has them: one incident after the other."""
    rng = random.Random(seed)  # noqa: S311  lifelike, and the same each time
    return [line for number in range(incidents) for line in incident(number, rng)]


def write_log(
    file: Path, rows: Iterable[Row], columns: Sequence[str] = COLUMNS, delimiter: str = ","
) -> Path:
    """Write an export, packed where the name ends in .gz."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=delimiter, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    plain = text.getvalue().encode()
    file.write_bytes(gzip.compress(plain) if file.suffix == ".gz" else plain)
    return file


def quiet(_text: str, _done: int, _total: int) -> None:
    """Show no progress."""
