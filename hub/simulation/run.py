"""Runs two packs over the same events at once, each on a core of its own, and compares them."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hub.progress import Progress, Ticker
from hub.simulation.compare import Found, Trail, differences
from hub.simulation.feed import Head
from hub.simulation.models import Report, Side
from hub.simulation.side import ORDER, Order
from rules.pack import Pack
from rules.policies_file import read_policies
from support.errors import InputError, LedgerError, PackError, PolicyError, RulesEngineError

_MOST_TICKETS_SHOWN = 1000
_LINE_LIMIT = 64 * 1024 * 1024
"""A side's totals are one line: a few hundred bytes for each agent."""

_ERRORS = {kind.code: kind for kind in (InputError, PackError, PolicyError, LedgerError)}

Source = Callable[[Path], Awaitable[Head]]
"""Writes its events to a folder and returns their head."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """What came of it. `differing` has every ticket that differs, one JSON object a line."""

    report: Report
    differing: Path


@dataclass(frozen=True, slots=True)
class Packs:
    """The two packs, and the text of the policies under which both decide."""

    before: Pack
    after: Pack
    policies: str
    engine_timeout_s: float


@contextmanager
def workspace() -> Iterator[Path]:
    """Yield a folder for one simulation, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="flowhub-simulation-") as folder:
        yield Path(folder)


async def simulate(
    packs: Packs, source: Source, folder: Path, *, tickets: int, progress: Progress
) -> Simulated:
    """Simulate both packs on the events of `source`; the report shows the top `tickets`.

    `folder` is this simulation's own, and `differing` lies in it. InputError kinds say what is
    wrong with the source, PackError, PolicyError and RulesEngineError with one of the sides.
    """
    if not 0 <= tickets <= _MOST_TICKETS_SHOWN:
        raise InputError(f"--tickets must be 0 to {_MOST_TICKETS_SHOWN}: all are in the JSON")
    begun = time.monotonic()
    head = await source(folder)
    before, after = await _both(packs, head, folder, progress)
    found = await asyncio.to_thread(_compare, folder, before.totals.tickets, tickets, progress)
    if head.since is None or head.until is None:
        raise InputError(f"{head.source} has no event to simulate")
    report = Report(
        source=head.source,
        policies=read_policies(packs.policies).version,
        first_instant=head.since,
        last_instant=head.until,
        events=head.events,
        agents=len(head.members),
        unknown=head.unknown,
        before=before,
        after=after,
        counts=found.counts(before.totals.tickets),
        top=found.top,
        seconds=round(time.monotonic() - begun, 2),
    )
    return Simulated(report, folder / "differing.jsonl")


async def _both(packs: Packs, head: Head, folder: Path, progress: Progress) -> tuple[Side, Side]:
    """Run both sides at once; where one fails or the caller gives up, the other is ended too."""
    work = []
    for name, pack in (("before", packs.before), ("after", packs.after)):
        out = folder / name
        out.mkdir()
        order = Order(pack.text, packs.policies, folder, out, packs.engine_timeout_s)
        ticker = Ticker(progress, f"{name.title()}, {pack.name}@{pack.version}", head.events)
        work.append(asyncio.create_task(_side(order, pack, ticker)))
    try:
        first, second = await asyncio.gather(*work)
        return first, second
    finally:
        for task in work:
            # Cancelled a second time, it would not wait for the end of its process.
            if not task.cancelling():
                task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


async def _side(order: Order, pack: Pack, ticker: Ticker) -> Side:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hub.simulation.side",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LINE_LIMIT,
        # Ctrl-C is for the parent alone, which ends both sides.
        start_new_session=True,
    )
    try:
        complaints = asyncio.ensure_future(_rest(process.stderr))
        await _order(process.stdin, order)
        side = await _follow(process.stdout, ticker)
        code = await process.wait()
        said = (await complaints).strip().splitlines()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if side is None:
        why = said[-1] if said else "without a word"
        raise RulesEngineError(
            f"the simulation of pack {pack.name} ({pack.file}) ended with code {code}: {why}; "
            "free memory and disk, and try again"
        )
    return side


async def _order(stdin: asyncio.StreamWriter | None, order: Order) -> None:
    assert stdin is not None  # noqa: S101  it was asked for as a pipe
    stdin.write(ORDER.dump_json(order))
    try:
        await stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        stdin.close()


async def _rest(stream: asyncio.StreamReader | None) -> str:
    return (await stream.read()).decode(errors="replace") if stream is not None else ""


async def _follow(stdout: asyncio.StreamReader | None, ticker: Ticker) -> Side | None:
    """Pass on what a side tells until it ends; None: it ended without a result."""
    assert stdout is not None  # noqa: S101  it was asked for as a pipe
    side: Side | None = None
    async for line in stdout:
        told = json.loads(line)
        if "error" in told:
            raise _ERRORS.get(told["error"]["code"], RulesEngineError)(told["error"]["message"])
        if "side" in told:
            side = Side.model_validate(told["side"])
            ticker.reach(ticker.total)
        else:
            ticker.reach(told["done"])
    if side is not None:
        ticker.end()
    return side


def _compare(folder: Path, total: int, most: int, progress: Progress) -> Found:
    found = Found(most)
    ticker = Ticker(progress, "Comparing: tickets", total)
    with (
        Trail(folder / "before") as before,
        Trail(folder / "after") as after,
        (folder / "differing.jsonl").open("w", encoding="utf-8") as file,
    ):
        for difference in differences(before, after):
            if difference is not None:
                found.add(difference)
                file.write(difference.model_dump_json() + "\n")
            ticker.add()
    ticker.end()
    return found
