"""Records the histories that `tests/workflows/test_replay_safety.py` replays.

    .venv/bin/python -m tests.histories.record            # every life, about a minute
    .venv/bin/python -m tests.histories.record reopened   # one

Each life is lived on real servers, started fresh: the development server, and the time-skipping
one where days have to pass. A life becomes one file for each of its runs, LIFE.RUN.json.

A change of a workflow that breaks the replay of these files breaks the tickets that are open while
it is deployed: guard the change with `workflow.patched` and keep the old files. Record anew, and
add lives, only when no run of the old code can be open any more.
"""

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

import logs
from embedded.postgres import start_postgres
from embedded.temporal_binary import obtain_temporal
from embedded.temporal_server import start_temporal
from embedded.time_skipping import time_skipping_environment
from hub.drafts import Command, NewTicket, Origin
from settings import Settings
from store import ledger, roster
from store.migrate import migrate
from support.errors import InputError, LedgerError, RuntimeUnavailableError
from support.model import Channel, EventKind, Priority, TicketStatus, WaitingOn, workflow_id
from support.needs import RuleAction
from support.work import Outside
from tests.fix_desk import CUSTOMER, KIM, RunningDesk, running_desk
from tests.waiting import eventually

FOLDER = Path(__file__).parent
TENANT = "recorded"
MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
SUGGEST_CONTINUE_AT = 60
"""Events after which the recording server suggests to continue as new."""

SUBJECT = "Purple loudspeaker is silent"
BODY = "Since yesterday it hums a melancholy tune."
NAME = "Ada Ljungqvist"
EMAIL = "ada.ljungqvist@customer.example"
ANSWER = "Please try the turquoise cable."
NOTE = "Sounds like a broken capacitor."
TEXTS = (SUBJECT, BODY, NAME, EMAIL, ANSWER, NOTE)
"""What people wrote in these lives: none of it may be in a history."""

ALL_WAYS = Outside(notify=True, reply=frozenset(Channel))
ASSIGN = RuleAction("assign-new", "assign", {})
TELL = RuleAction("tell", "notify", {"to": "channel", "template": "step"})


@dataclass(frozen=True, slots=True)
class Recording:
    """A desk, the ticket that lives on it, and the clock of its server where one is skipped."""

    desk: RunningDesk
    ticket_id: str
    skipping: WorkflowEnvironment | None = None

    @property
    def workflow_id(self) -> str:
        """Workflow of the ticket."""
        return workflow_id(TENANT, self.ticket_id)

    async def create(self, priority: Priority = Priority.NORMAL) -> None:
        """Open the ticket with everything personal that a ticket can have."""
        new = NewTicket(
            subject=SUBJECT,
            body=BODY,
            ticket_id=self.ticket_id,
            priority=priority,
            customer_name=NAME,
            customer_email=EMAIL,
            tags=("audio",),
        )
        at = MONDAY if self.skipping else None
        await self.desk.gateway.create_as(TENANT, new, Origin(CUSTOMER, "web", "created", at))

    async def do(self, event_id: str, kind: EventKind, text: str = "", **more: Any) -> None:
        """Give one command, as kim or for what customers say as the customer."""
        actor = CUSTOMER if kind is EventKind.CUSTOMER_MESSAGE else KIM
        command = Command(kind, text=text, **more)
        origin = Origin(actor, "cli", event_id)
        await self.desk.gateway.command_as(TENANT, self.ticket_id, command, origin)

    async def on_record(self, event_id: str) -> None:
        """Wait until the ledger has the event."""

        async def decided() -> bool:
            async with self.desk.pool.connection() as conn:
                found = await ledger.outcomes(
                    conn, tenant=TENANT, events=[(self.ticket_id, event_id)]
                )
            return bool(found)

        await eventually(decided)

    async def ended(self) -> None:
        """Wait until the run is over."""
        await self.desk.client.get_workflow_handle(self.workflow_id).result()


async def plain(life: Recording) -> None:
    """Created, assigned, replied, resolved and closed."""
    life.desk.rules.actions = [ASSIGN]
    await life.create()
    life.desk.rules.actions = []
    await life.do("assigned", EventKind.ASSIGN, assignee="lou")
    await life.do("replied", EventKind.REPLY, ANSWER)
    await life.do("resolved", EventKind.RESOLVE)
    await life.do("closed", EventKind.CLOSE)
    await life.ended()


async def waiting(life: Recording) -> None:
    """Waits for a vendor until the follow-up, then for the customer, who is reminded; days pass."""
    assert life.skipping is not None
    life.desk.rules.actions = [ASSIGN]
    await life.create(Priority.HIGH)
    life.desk.rules.actions = []
    await life.do(
        "vendor",
        EventKind.WAIT,
        status=TicketStatus.WAITING_INTERNAL,
        waiting_on=WaitingOn.VENDOR,
        follow_up_at=MONDAY + timedelta(hours=6),
    )
    await life.skipping.sleep(timedelta(hours=5))
    life.desk.rules.actions = [RuleAction("follow-up", "resume", {})]
    await life.skipping.sleep(timedelta(hours=2))
    life.desk.rules.actions = []
    await life.do("replied", EventKind.REPLY, ANSWER)
    await life.do("customer", EventKind.WAIT, status=TicketStatus.WAITING_CUSTOMER)
    await life.skipping.sleep(timedelta(days=6))
    await life.do("message", EventKind.CUSTOMER_MESSAGE, BODY)
    await life.do("again", EventKind.REPLY, ANSWER)
    await life.do("resolved", EventKind.RESOLVE)
    life.desk.rules.actions = [RuleAction("close-old", "close", {})]
    await life.skipping.sleep(timedelta(days=8))


async def outside_failing(life: Recording) -> None:
    """A notification is retried until its channel is back; a reply that cannot arrive is parked."""
    outside = life.desk.outside
    outside.failure = ConnectionError("the relay is away")
    life.desk.rules.actions = [TELL]
    await life.create()
    life.desk.rules.actions = []
    await life.do("noted", EventKind.NOTE, NOTE)
    outside.failure = None

    async def told() -> bool:
        return bool(outside.done)

    await eventually(told)
    outside.failure = ApplicationError("no mailbox", type="PermanentDelivery", non_retryable=True)
    await life.do("replied", EventKind.REPLY, ANSWER)
    await life.on_record("failed.replied")
    outside.failure = None
    await life.do("again", EventKind.REPLY, ANSWER)
    await life.do("resolved", EventKind.RESOLVE)
    await life.do("closed", EventKind.CLOSE)
    await life.ended()


async def parked(life: Recording) -> None:
    """One event cannot be decided, is parked and retried; another is refused."""
    await life.create()
    life.desk.rules.failure = LedgerError("rules say nonsense")
    try:
        await life.do("noted", EventKind.NOTE, NOTE)
    except RuntimeUnavailableError:
        life.desk.rules.failure = None
    await life.desk.gateway.retry(TENANT, life.ticket_id)
    await life.on_record("noted")
    try:
        command, year_1970 = Command(EventKind.ACK), datetime(1970, 1, 1, tzinfo=UTC)
        origin = Origin(KIM, "cli", "early", year_1970)
        await life.desk.gateway.command_as(TENANT, life.ticket_id, command, origin)
    except InputError:
        await life.do("resolved", EventKind.RESOLVE)
    await life.do("closed", EventKind.CLOSE)
    await life.ended()


async def continued(life: Recording) -> None:
    """So much is said that the run continues as new; the second one is closed."""
    await life.create()
    handle = life.desk.client.get_workflow_handle(life.workflow_id)
    first = (await handle.describe()).run_id
    for number in range(12):
        await life.do(f"noted-{number}", EventKind.NOTE, NOTE)

    async def next_run() -> bool:
        return (await handle.describe()).run_id != first

    await eventually(next_run)
    await life.do("resolved", EventKind.RESOLVE)
    await life.do("closed", EventKind.CLOSE)
    await life.ended()


async def reopened(life: Recording) -> None:
    """Closed, reopened in a new run, resolved and closed again."""
    await life.create()
    await life.do("resolved", EventKind.RESOLVE)
    await life.do("closed", EventKind.CLOSE)
    await life.ended()
    await life.do("reopened", EventKind.REOPEN, NOTE)
    await life.do("priority", EventKind.PRIORITY, NOTE, priority=Priority.URGENT)
    await life.do("resolved-again", EventKind.RESOLVE)
    await life.do("closed-again", EventKind.CLOSE)
    await life.ended()


async def streamed(life: Recording) -> None:
    """Everything comes as signals, some of it twice; the run is still open at the end."""
    new = NewTicket(subject=SUBJECT, body=BODY, ticket_id=life.ticket_id)
    for _ in range(2):
        await life.desk.gateway.stream(
            TENANT, life.ticket_id, new, Origin(CUSTOMER, "import", "created")
        )
        for number in range(3):
            note, origin = Command(EventKind.NOTE, NOTE), Origin(KIM, "import", f"noted-{number}")
            await life.desk.gateway.stream(TENANT, life.ticket_id, note, origin)
    await life.do("replied", EventKind.REPLY, ANSWER)


async def stray(life: Recording) -> None:
    """A signal of a ticket that is not there starts a run, which ends."""
    origin = Origin(KIM, "import", "noted")
    await life.desk.gateway.stream(TENANT, life.ticket_id, Command(EventKind.ACK), origin)
    await life.ended()


async def left_behind(life: Recording) -> None:
    """Closed while a notification could not get out, which a run of its own then sends."""
    refusal = ApplicationError("HTTP404", type="PermanentDelivery", non_retryable=True)
    life.desk.outside.failure = refusal
    life.desk.rules.actions = [TELL]
    await life.create()
    life.desk.rules.actions = []
    await life.do("resolved", EventKind.RESOLVE)
    await life.do("closed", EventKind.CLOSE)
    await life.ended()
    life.desk.outside.failure = None
    await life.desk.gateway.retry(TENANT, life.ticket_id)
    await life.ended()


Life = Callable[[Recording], Awaitable[None]]
LIVES: Sequence[Life] = (
    plain, waiting, outside_failing, parked, continued, reopened, streamed, stray,
    left_behind,
)  # fmt: skip
WITH_WAYS_OUT: Sequence[Life] = (outside_failing, left_behind)
SKIPPING: Sequence[Life] = (waiting,)


async def record(life: Life, client: Client, database_url: str, skip: Any = None) -> list[Path]:
    """Live `life` and write a file for each run; `skip` is the environment that skips time."""
    offset_s = ((await skip.get_current_time()) - MONDAY).total_seconds() if skip else 0.0
    outside = ALL_WAYS if life in WITH_WAYS_OUT else None
    async with running_desk(
        client, database_url, "recording", outside=outside, clock_offset_s=offset_s
    ) as desk:
        async with desk.pool.connection() as conn:
            for name in ("kim", "lou"):
                await roster.add(conn, tenant=TENANT, agent=roster.Agent(name, presence="online"))
        recording = Recording(desk, f"T-{life.__name__}", skip)
        await life(recording)
        return [
            write(f"{life.__name__}.{number}", history)
            for number, history in enumerate(await runs(client, recording.workflow_id), start=1)
        ]


async def runs(client: Client, of: str) -> list[WorkflowHistory]:
    """Return the histories of all runs of a workflow, oldest first."""
    found: list[WorkflowHistory] = []
    run_id: str | None = None
    while not found or run_id:
        history = await client.get_workflow_handle(of, run_id=run_id).fetch_history()
        found.insert(0, history)
        started = history.events[0].workflow_execution_started_event_attributes
        start = json.loads(started.input.payloads[0].data)
        run_id = started.continued_execution_run_id or start["previous_run"]
    return found


def write(name: str, history: WorkflowHistory) -> Path:
    """Write a history without what tells of the machine that recorded it."""
    target = FOLDER / f"{name}.json"
    form = {"workflow_id": history.workflow_id, **scrubbed(json.loads(history.to_json()))}
    target.write_text(json.dumps(form, indent=1, sort_keys=True) + "\n")
    return target


def scrubbed(value: Any) -> Any:
    """Return JSON with no process, host or path in it; a replay reads none of them."""
    if isinstance(value, Mapping):
        blank = {"identity": "recorder", "stackTrace": "", "buildId": "recorder"}
        return {key: blank.get(key) if key in blank else scrubbed(v) for key, v in value.items()}
    if isinstance(value, list):
        return [scrubbed(item) for item in value]
    of_a_process = isinstance(value, str) and re.match(r"\d+@", value)
    return "recorder" if of_a_process else value


async def record_all(names: Sequence[str], database_url: str, address: str) -> None:
    """Record the lives of these names, or all."""
    await migrate(database_url)
    client = await Client.connect(address)
    for life in LIVES:
        if names and life.__name__ not in names:
            continue
        if life in SKIPPING:
            async with time_skipping_environment(Settings().data_dir) as skip:
                files = await record(life, skip.client, database_url, skip)
        else:
            files = await record(life, client, database_url)
        sys.stdout.writelines(f"{file} {file.stat().st_size // 1024} KiB\n" for file in files)


def main(names: Sequence[str]) -> None:
    """Start the servers and record."""
    logs.configure("ERROR")
    executable = obtain_temporal(Settings().data_dir)
    with tempfile.TemporaryDirectory(prefix="flowhub-record-") as folder:
        postgres = start_postgres(Path(folder))
        try:
            temporal = start_temporal(
                Path(folder),
                port=0,
                ui_port=0,
                executable=executable,
                dynamic_config={"limit.historyCount.suggestContinueAsNew": SUGGEST_CONTINUE_AT},
            )
            try:
                asyncio.run(record_all(names, postgres.url, temporal.address))
            finally:
                temporal.stop()
        finally:
            postgres.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
