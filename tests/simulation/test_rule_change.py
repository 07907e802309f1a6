"""A rule change on a small log, whose effect is known by hand, is told exactly."""

import asyncio
import re
from contextlib import suppress
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from hub.simulation.feed import Head
from hub.simulation.from_log import from_log
from hub.simulation.models import Change
from hub.simulation.page import write_html
from hub.simulation.run import Simulated, simulate
from hub.simulation.table import render_table, shifted
from support.errors import InputError, PackError, RulesEngineError
from tests.replay.exporting import life, quiet, row, write_log
from tests.simulation.trying import BEFORE, differing, dozen, mapping, packs, tried


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """The dozen under both packs; nothing changes it, so its tests share it."""
    folder = tmp_path_factory.mktemp("dozen")
    return asyncio.run(tried(folder, dozen(), packs(folder)))


def test_a_rule_that_leaves_tickets_out_changes_just_these(small: Simulated) -> None:
    report, found = small.report, differing(small)
    assert list(found) == ["INC-06", "INC-08", "INC-10", "INC-12"]
    assert (report.counts.tickets, report.counts.differ, report.counts.indirect) == (12, 4, 0)
    assert report.counts.changed == {"escalations at 0.75": 4}
    for ticket in found.values():
        assert ticket.changes == (Change(what="escalations at 0.75", before=2, after=0),)
        assert not ticket.indirect


def test_a_ticket_tells_where_it_parts_and_why(small: Simulated) -> None:
    found = differing(small)
    parting = found["INC-06"].parting
    assert parting.before is not None
    assert parting.after is not None
    assert parting.before.trigger == "first response at 75% of its target"
    assert parting.before.trigger_id == parting.after.trigger_id
    assert (parting.before.fired, parting.after.fired) == (("early",), ())
    [rule] = parting.rules
    assert (rule.rule_id, rule.fired_before, rule.fired_after) == ("early", True, False)
    assert "step_fraction is 0.75" in rule.before
    assert rule.after == "channel is email, not phone"


def test_totals_are_those_of_the_tickets(small: Simulated) -> None:
    report = small.report
    before, after = report.before.totals, report.after.totals
    assert (before.escalations, after.escalations) == (12, 4)
    assert before.escalations_by_step == {"0.75": 12}
    assert sum(after.escalations_by_day.values()) == 4
    assert before.breaches == after.breaches > 0
    assert (before.assignments, before.assignments_changed, before.never_owned) == (12, 0, 0)
    [kim] = before.load
    assert kim.tickets == 12
    assert kim.unit_hours == pytest.approx(4 * 1 + 8 * 24 * 30, abs=1)
    assert before.fairness_tickets == 1
    assert report.before.cost.asked < report.before.cost.answered == before.decisions


async def test_equal_packs_differ_in_nothing(tmp_path: Path) -> None:
    done = await tried(tmp_path, life(40), packs(tmp_path, BEFORE, BEFORE))
    assert differing(done) == {}
    assert done.report.before.totals == done.report.after.totals
    assert done.report.before.totals.decisions > 100


async def test_a_rule_with_another_name_is_a_difference_that_ends_alike(tmp_path: Path) -> None:
    renamed = BEFORE.replace("id: take", "id: give")
    done = await tried(tmp_path, [row("A")], packs(tmp_path, BEFORE, renamed))
    ticket = differing(done)["A"]
    assert ticket.changes == ()
    assert done.report.counts.ended_alike == 1
    said = {(r.rule_id, r.fired_before, r.fired_after, r.after) for r in ticket.parting.rules}
    assert ("take", True, False, "this pack has no such rule") in said


async def test_a_seat_that_one_ticket_leaves_is_taken_by_another(tmp_path: Path) -> None:
    rows = [
        row("A", contact_type="Phone", assigned_to="Kim"),
        row("B", contact_type="Email", assigned_to="Kim"),
        row("A", sequence=1, after_h=1, contact_type="Phone", assigned_to="Kim"),
    ]
    no_calls = BEFORE.replace("{owner_set: false}", "{owner_set: false, channel: email}")
    changed = packs(tmp_path, BEFORE, no_calls)
    done = await tried(tmp_path, rows, changed, capacity_units=1)
    found = differing(done)
    assert not found["A"].indirect
    assert found["B"].indirect
    kim = found["A"].changes[0].before
    assert found["A"].changes[0] == Change(what="owner at the end", before=kim, after="")
    assert found["B"].changes[0] == Change(what="owner at the end", before="", after=kim)
    refused = found["B"].parting.before
    assert refused is not None
    assert [action.outcome for action in refused.actions] == ["refused"]
    assert done.report.before.totals.actions_refused == {
        "assign: no agent of its team who is at work has room": 1
    }
    assert done.report.counts.indirect == 1


async def test_tickets_that_differ_most_come_first(tmp_path: Path) -> None:
    done = await tried(tmp_path, dozen(), packs(tmp_path), tickets=2)
    assert [ticket.ticket_id for ticket in done.report.top] == ["INC-06", "INC-08"]
    assert len(differing(done)) == 4


def test_the_difference_is_shown_as_table_and_page(small: Simulated, tmp_path: Path) -> None:
    report = small.report
    console = Console(width=140, record=True, file=StringIO())
    console.print(render_table(report))
    text = console.export_text()
    assert "4 of 12 tickets differ" in text
    assert "escalations at 0.75: 2 -> 0" in text
    assert "early did not fire: channel is email, not phone" in text
    write_html(report, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count('role="img"') == 3
    assert re.search(r"(src|href)=|https?:|@import|url\(", page) is None


def test_nothing_of_log_or_pack_is_markup_on_the_page(small: Simulated, tmp_path: Path) -> None:
    report = small.report
    evil = "<script>alert(1)</script>"
    ticket = report.top[0].model_copy(update={"ticket_id": evil})
    side = report.before.model_copy(update={"file": evil})
    changed = report.model_copy(update={"source": evil, "before": side, "top": (ticket,)})
    write_html(changed, tmp_path / "page.html")
    assert "<script" not in (tmp_path / "page.html").read_text()
    console = Console(width=140, record=True, file=StringIO())
    console.print(render_table(report.model_copy(update={"source": "[bold]x"})))
    assert "[bold]x" in console.export_text()


def test_a_page_that_cannot_be_written_is_said(small: Simulated, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_html(small.report, tmp_path / "nowhere" / "page.html")


def test_agents_whose_load_changes_are_shown(small: Simulated) -> None:
    assert shifted(small.report) == []
    totals = small.report.after.totals
    less = totals.load[0].model_copy(update={"unit_hours": 1.0})
    after = small.report.after.model_copy(
        update={"totals": totals.model_copy(update={"load": (less,)})}
    )
    changed = small.report.model_copy(update={"after": after})
    assert shifted(changed) == [(totals.load[0], less)]
    console = Console(width=140, record=True, file=StringIO())
    console.print(render_table(changed))
    assert "Agents whose load changes most" in console.export_text()


async def test_an_unusable_log_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="priority not in the mapping"):
        await tried(tmp_path, [row(priority="odd")], packs(tmp_path))


async def test_what_one_side_says_is_wrong_is_the_error(tmp_path: Path) -> None:
    both = packs(tmp_path)
    broken = replace(both, after=replace(both.after, text="{}"))
    with pytest.raises(PackError, match="no stored pack"):
        await tried(tmp_path, dozen(), broken)
    assert not _sides()


async def test_a_side_that_dies_is_named_with_its_last_words(tmp_path: Path) -> None:
    file = write_log(tmp_path / "log.csv", dozen())

    folder = tmp_path / "space"
    folder.mkdir()

    async def lost(into: Path) -> Head:
        head = await from_log(into, file, mapping(tmp_path), None, quiet)
        (into / "events.jsonl").unlink()
        return head

    with pytest.raises(RulesEngineError, match="ended with code 1: FileNotFoundError"):
        await simulate(packs(tmp_path), lost, folder, tickets=1, progress=quiet)
    assert not _sides()


async def test_giving_up_ends_both_sides(tmp_path: Path) -> None:
    file = write_log(tmp_path / "log.csv", life(400))
    running = asyncio.Event()
    folder = tmp_path / "space"
    folder.mkdir()

    def progress(text: str, _done: int, _total: int) -> None:
        if text.startswith("After"):
            running.set()

    source = partial(from_log, file=file, mapping=mapping(tmp_path), limit=None, progress=quiet)
    work = asyncio.ensure_future(
        simulate(packs(tmp_path), source, folder, tickets=1, progress=progress)
    )
    await running.wait()
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    assert work.cancelled()
    assert not _sides()


def _sides() -> list[int]:
    """Processes of this test that simulate."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "hub.simulation.side" in child.cmdline():
                found.append(child.pid)
    return found
