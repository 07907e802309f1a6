"""Recorded lives replay on today's code: a change that breaks them breaks open tickets.

The files are made by `python -m tests.histories.record`.
"""

import asyncio
import base64
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from tests.histories.record import FOLDER, LIVES, TEXTS
from worker import WORKFLOWS
from workflows.payloads import DATA_CONVERTER
from workflows.runner import TicketSandbox

FILES = sorted(FOLDER.glob("*.json"))
each_file = pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
pytestmark = pytest.mark.filterwarnings(
    "error::temporalio.workflow.UnfinishedUpdateHandlersWarning",
    "error::temporalio.workflow.UnfinishedSignalHandlersWarning",
)


def read(file: Path) -> WorkflowHistory:
    form = json.loads(file.read_text())
    return WorkflowHistory.from_json(form["workflow_id"], {"events": form["events"]})


def event_types() -> Counter[str]:
    return Counter(
        event["eventType"].removeprefix("EVENT_TYPE_")
        for file in FILES
        for event in json.loads(file.read_text())["events"]
    )


def data_of(value: Any) -> Iterator[str]:
    """All strings of a history, payloads decoded."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "data" and isinstance(inner, str):
                yield base64.b64decode(inner).decode("utf-8", "replace")
            else:
                yield from data_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from data_of(inner)
    else:
        yield str(value)


@each_file
@pytest.mark.parametrize("converter", [DATA_CONVERTER, DataConverter.default], ids=["ours", "sdk"])
async def test_a_recorded_life_replays(file: Path, converter: DataConverter) -> None:
    replayer = Replayer(
        workflows=WORKFLOWS, workflow_runner=TicketSandbox(), data_converter=converter
    )
    assert isinstance(replayer.config()["workflow_runner"], SandboxedWorkflowRunner)
    await replayer.replay_workflow(read(file))


async def test_a_changed_workflow_does_not_replay() -> None:
    with pytest.raises(workflow.NondeterminismError):
        await Replayer(workflows=[Changed]).replay_workflow(read(FOLDER / "plain.1.json"))


@workflow.defn(name="TicketWorkflow", sandboxed=False)
class Changed:
    """A ticket's workflow that begins with a timer."""

    @workflow.run
    async def run(self, _start: dict[str, Any]) -> str:
        await workflow.sleep(1)
        return "closed"

    @workflow.update
    async def submit(self, _event: dict[str, Any]) -> None:
        """Take nothing."""


async def test_unfinished_handlers_are_errors_also_in_the_threads_of_workflows() -> None:
    for kind in (
        workflow.UnfinishedUpdateHandlersWarning,
        workflow.UnfinishedSignalHandlersWarning,
    ):
        with pytest.raises(kind):
            await asyncio.to_thread(warnings.warn, kind("left behind"))


def test_every_workflow_has_a_history() -> None:
    recorded = {
        json.loads(file.read_text())["events"][0]["workflowExecutionStartedEventAttributes"][
            "workflowType"
        ]["name"]
        for file in FILES
    }
    wanted = {workflow._Definition.must_from_class(cls).name for cls in WORKFLOWS}
    assert wanted <= recorded


def test_every_life_is_recorded_and_every_file_is_of_a_life() -> None:
    assert {file.stem.partition(".")[0] for file in FILES} == {life.__name__ for life in LIVES}
    assert (FOLDER / "reopened.2.json").is_file()
    assert (FOLDER / "continued.2.json").is_file()


def test_the_lives_show_what_a_ticket_can_go_through() -> None:
    seen = event_types()
    for kind in (
        "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
        "WORKFLOW_EXECUTION_SIGNALED",
        "WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
        "WORKFLOW_EXECUTION_COMPLETED",
        "TIMER_FIRED",
        "TIMER_CANCELED",
        "ACTIVITY_TASK_COMPLETED",
        "ACTIVITY_TASK_FAILED",
        "MARKER_RECORDED",
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
    ):
        assert seen[kind], kind


@each_file
def test_nothing_that_people_wrote_is_in_a_history(file: Path) -> None:
    strings = [text.casefold() for text in data_of(json.loads(file.read_text()))]
    words = {word.casefold() for text in TEXTS for word in re.findall(r"[\w.@]{6,}", text)}
    assert not [word for word in words if any(word in text for text in strings)]


@each_file
def test_a_file_is_small_and_tells_nothing_of_the_machine(file: Path) -> None:
    text = file.read_text()
    assert len(text) < 128 * 1024
    told = re.compile(r"/(home|root|tmp|work|Users)/|\d@\w")
    assert not [string for string in data_of(json.loads(text)) if told.search(string)]
