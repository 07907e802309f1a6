"""What `flowhub import` makes of files and of servers that are not as they should be."""

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from hub.importing import Imported, import_lines
from support.errors import RuntimeUnavailableError
from tests.fix_desk import RunningDesk


def form(ticket_id: str, event_id: str = "e-1", kind: str = "created") -> str:
    said = {"created": "subject", "note": "text"}[kind]
    line = {"ticket_id": ticket_id, "event_id": event_id, "kind": kind, said: "From afar"}
    return json.dumps(line)


async def imported(desk: RunningDesk, file: Path) -> Imported:
    return await import_lines(
        desk.pool, desk.gateway, desk.tenant, file, wait_s=30, progress=lambda _: None
    )


async def test_a_stall_of_temporal_midway_says_what_was_sent(
    desk: RunningDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "events.jsonl"
    lines = [form("I-1"), form("I-1", "e-2", "note"), form("I-1", "e-3", "note")]
    file.write_text("\n".join(lines))
    start, calls = Client.start_workflow, []

    async def stalling(self: Client, *args: Any, **options: Any) -> Any:
        calls.append(args)
        if len(calls) > 1:
            raise RPCError("stalled", RPCStatusCode.DEADLINE_EXCEEDED, b"")
        return await start(self, *args, **options)

    monkeypatch.setattr(Client, "start_workflow", stalling)
    with pytest.raises(RuntimeUnavailableError, match="1 of 3 lines were sent") as told:
        await imported(desk, file)
    assert told.value.details == {"sent": 1, "lines": 3}
    assert len(calls) == 2
    monkeypatch.undo()
    done = await imported(desk, file)
    assert (done.lines, done.accepted + done.refused, done.undecided) == (3, 3, 0)


async def test_counts_are_whole_where_lists_are_cut(desk: RunningDesk, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    refused = [form("I-404", f"e-{i}", "note") for i in range(60)]
    file.write_text("\n".join(["{broken"] * 70 + refused))
    done = await imported(desk, file)
    assert (done.lines, done.unusable_total, done.refused) == (130, 70, 60)
    assert (len(done.unusable), len(done.refusals)) == (50, 50)


async def test_blank_lines_are_no_lines(desk: RunningDesk, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join([form("I-1"), "", "  \t", "{broken", ""]))
    done = await imported(desk, file)
    assert (done.lines, done.accepted, done.unusable_total) == (2, 1, 1)
    assert [number for number, _ in done.unusable] == [4]
