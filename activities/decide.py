"""The one transaction: a trigger becomes a stored decision, exactly once."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import records
from activities.attempt import Attempt, Macros
from activities.engines import Engines
from activities.messages import DecideInput, EffectRef, EventResult, Parking, Verdict
from activities.published import Published
from activities.surroundings import Evaluator, Surroundings
from logs import get
from rules.policies_file import read_policies
from store import breaches, bulk_changes, effects, ledger, messages, parkings, policy_books
from store.bulk_changes import Decided
from store.pool import Connection, Pool, transaction
from support.corrections import CorrectionKind
from support.deadlines import named, upcoming
from support.decision import Deadline, Decision, Request, decide
from support.errors import FlowHubError, InputError, LedgerError
from support.model import BULK_PREFIX, TicketEvent
from support.policy import PolicyBook
from support.sla import compute
from support.standing import standing
from support.ticket import TicketState
from support.work import AutoMessage, EffectKind, Outside

DECIDE = "decide"
PARK_TICKET = "park_ticket"
LOOK_AGAIN = timedelta(minutes=15)
"""How long a ticket waits until it looks whether automation has been started again."""
_DEFAULT_LOCALE = "en"
_log = get(__name__)


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What decisions go by: the policies, the ways out, and the worker's own pack.

    Engine and macros count for tenants that have published no pack.
    """

    engine: Evaluator
    macros: Macros
    policies: PolicyBook
    outside: Outside


class DecideActivities:
    """The local activity `decide`, and the parking of what cannot be decided."""

    def __init__(self, pool: Pool, rulebook: Rulebook, engines: Engines | None = None) -> None:
        self._pool = pool
        self._rulebook = rulebook
        self.published = Published(pool, rulebook, engines)

    @activity.defn(name=DECIDE)
    async def decide(self, asked: DecideInput) -> Verdict:
        """Decide one event or deadline, or return what was decided of it before.

        A refusal is a result. What cannot get better by trying again is a non-retryable
        ApplicationError named by its code; everything else is raised as it comes.
        """
        try:
            return await self.published.attend(asked, partial(self._decide, asked))
        except FlowHubError as error:
            raise ApplicationError(str(error), type=error.code, non_retryable=True) from error

    async def _decide(self, asked: DecideInput, attempt: Attempt) -> Verdict:
        try:
            async with transaction(self._pool) as conn:
                return await self._in_transaction(conn, asked, attempt)
        except InputError as error:
            async with transaction(self._pool) as conn:
                return await self._refuse(conn, asked, error)

    async def _in_transaction(
        self, conn: Connection, asked: DecideInput, attempt: Attempt
    ) -> Verdict:
        found = await _read(conn, asked)
        answered = await self._known(conn, asked, found)
        if answered is not None:
            return answered
        async with self.published.by(conn, attempt, found.packs):
            return await self._by_attempt(conn, asked, found, attempt)

    async def _by_attempt(
        self, conn: Connection, asked: DecideInput, found: ledger.Found, attempt: Attempt
    ) -> Verdict:
        state = _state_of(found)
        surroundings = Surroundings(
            conn,
            asked.tenant,
            asked.ticket_id,
            asked.now,
            attempt,
            owner=found.claim.agent_id if found.claim else "",
            owner_gone=found.claim is not None and not found.owner_available,
            parked=found.parked,
        )
        request = Request(
            tenant=asked.tenant,
            ticket_id=asked.ticket_id,
            workflow_id=asked.workflow_id,
            decision_seq=asked.decision_seq,
            trigger=_trigger(asked),
            now=asked.now,
            state=state,
            book=await self._book(conn, state),
            current=self._rulebook.policies,
            macros=attempt.macros.actions,
            outside=self._rulebook.outside,
            owner_available=found.owner_available,
            owner_on_shift=found.owner_on_shift,
            owner_left=found.owner_left,
            automation_stopped=found.automation_stopped,
        )
        decision = attempt.decision = await surroundings.drive(decide(request))
        kept = records.plain(decision)
        verdict = records.verdict_of(asked, decision, kept.digest)
        texts = await self._texts(conn, asked, decision, attempt.macros)
        await self._write(conn, asked, found, decision, verdict=verdict, kept=kept, texts=texts)
        await surroundings.settle(found.claim, state, decision, asked)
        _log.info(
            "decided",
            tenant=asked.tenant,
            ticket=asked.ticket_id,
            decision_seq=asked.decision_seq,
            trigger=records.trigger_id(asked),
            fired=decision.fired,
            halted=decision.state.halted is not None,
            lateness_s=decision.lateness.total_seconds(),
        )
        return verdict

    async def _known(
        self, conn: Connection, asked: DecideInput, found: ledger.Found
    ) -> Verdict | None:
        """Return what the ledger already says of the trigger, or that it is ahead."""
        if found.decided is not None and found.trigger_id == records.trigger_id(asked):
            return records.verdict_from(found.decided)
        if found.repeated is not None:
            result = _first_result(asked, found, records.result_from(found.repeated))
            repeat = await self._standing(conn, found, result=result, repeat=True)
            return replace(repeat, effects=await _unbegun(conn, asked))
        if found.decision_seq >= asked.decision_seq:
            effects = await _unbegun(conn, asked)
            return Verdict(decision_seq=found.decision_seq, ahead=True, effects=effects)
        if found.decision_seq != asked.decision_seq - 1:
            raise LedgerError(
                f"decision {asked.decision_seq} of {asked.workflow_id} is asked for, but the "
                f"ledger ends at {found.decision_seq}: was the database restored to an older state?"
            )
        if asked.deadline is not None:
            return await self._not_due(conn, asked, found)
        return None

    async def _not_due(
        self, conn: Connection, asked: DecideInput, found: ledger.Found
    ) -> Verdict | None:
        """Say what to wait for instead of a deadline that has moved or is held; None: it is due.

        While automation is stopped, what it would do to a ticket by itself stays due and is looked
        at again, so that nothing is lost when it starts.
        """
        state, deadline = _state_of(found), asked.deadline
        if state is None or deadline is None:
            return await self._standing(conn, found)
        book = await self._book(conn, state)
        clocks = compute(state.marks, book, deadline.at)
        left = upcoming(state, clocks, book.terms[state.terms_key], book.office)
        due = named(left, deadline.key, deadline.at)
        if due is None:
            return await self._standing(conn, found)
        if not (found.automation_stopped and due.by_automation):
            return None
        later = [d for d in left if not d.by_automation]
        again = replace(records.deadline_ref(due), at=asked.now + LOOK_AGAIN)
        first = records.deadline_of(later[0] if later else None)
        wait = first if first is not None and first.at < again.at else again
        return replace(await self._standing(conn, found), deadline=wait)

    async def _standing(
        self,
        conn: Connection,
        found: ledger.Found,
        *,
        result: EventResult | None = None,
        repeat: bool = False,
    ) -> Verdict:
        """Say how the ticket stands, without deciding anything."""
        state = _state_of(found)
        if state is None:
            return Verdict(decision_seq=found.decision_seq, repeat=repeat, result=result)
        book = await self._book(conn, state)
        terms, at = book.terms[state.terms_key], state.last_at
        clocks = compute(state.marks, book, at)
        ahead = upcoming(state, clocks, terms, book.office)
        return Verdict(
            decision_seq=found.decision_seq,
            repeat=repeat,
            result=result,
            glance=records.glance_of(state, standing(state, clocks, terms, at)),
            deadline=records.deadline_of(ahead[0] if ahead else None),
            at=at,
        )

    async def _book(self, conn: Connection, state: TicketState | None) -> PolicyBook:
        """Return the policies that the ticket is under, or the current ones for a new one."""
        current = self._rulebook.policies
        if state is None or not state.policy_version:
            return current
        book = await self._version(conn, state.policy_version)
        before = [await self._version(conn, version) for version in state.earlier_policies]
        return book.after(before) if before else book

    async def _version(self, conn: Connection, version: str) -> PolicyBook:
        current = self._rulebook.policies
        if version == current.version:
            return current
        form = await policy_books.form_of(conn, version=version)
        if form is None:
            raise LedgerError(f"policies {version} are not in the store: restore them")
        return read_policies(form)

    async def _write(
        self,
        conn: Connection,
        asked: DecideInput,
        found: ledger.Found,
        decision: Decision,
        *,
        verdict: Verdict,
        kept: records.Plain,
        texts: tuple[messages.Message, ...],
    ) -> None:
        event, key = asked.event, (asked.tenant, asked.ticket_id)
        opening_ref = found.opening_ref or (event.message_ref if event else "")
        seq, lateness_s = asked.decision_seq, decision.lateness.total_seconds()
        await ledger.write_decision(conn, records.decision_row(asked, decision, kept, verdict))
        if event is not None and verdict.result is not None:
            happened = records.event_row(asked, event, verdict.result, decision.at)
            await ledger.write_event(conn, happened)
            owner, since = decision.state.owner, decision.state.ownership.since
            await _settle_move(conn, asked, Decided("moved", "", seq, owner, since))
        row = records.ticket_row(asked, decision, kept, opening_ref)
        await ledger.write_ticket(conn, row)
        if found.parked:
            trigger_id = records.trigger_id(asked)
            await parkings.unpark(
                conn, tenant=asked.tenant, ticket_id=asked.ticket_id, trigger_id=trigger_id
            )
        for undone in decision.corrections:
            if undone.kind is CorrectionKind.WITHDRAWN and undone.before is not None:
                await breaches.withdraw_breach(conn, key, (undone.metric, undone.before), seq)
        for breach in decision.new_breaches:
            what = (str(breach.metric), breach.cycle, breach.due_at)
            await breaches.write_breach(conn, key, what, str(breach.cause), seq)
        for step in decision.new_steps:
            fired = (str(step.metric), step.cycle, step.fraction, step.due_at)
            await breaches.write_escalation(conn, key, seq, fired, lateness_s, name=step.step)
        for text in texts:
            await messages.add(conn, text)
        for effect in decision.effects:
            await effects.intend(conn, records.effect_row(asked, effect, decision.at))
            if effect.kind is EffectKind.REPLY:
                await messages.set_delivery(
                    conn,
                    tenant=asked.tenant,
                    ticket_id=asked.ticket_id,
                    message_ref=str(effect.params["message_ref"]),
                    delivery="queued",
                )

    async def _texts(
        self, conn: Connection, asked: DecideInput, decision: Decision, macros: Macros
    ) -> tuple[messages.Message, ...]:
        if not decision.messages:
            return ()
        customer_id = decision.state.customer_id
        locale = await messages.locale_of(conn, tenant=asked.tenant, customer_id=customer_id)
        return tuple(
            _text(asked, decision, message, macros, locale or _DEFAULT_LOCALE)
            for message in decision.messages
        )

    async def _refuse(self, conn: Connection, asked: DecideInput, error: InputError) -> Verdict:
        """Record a refused event with its result; a refused deadline is a defect and is raised."""
        event = asked.event
        if event is None:
            raise error
        found = await _read(conn, asked)
        result = records.refused_result(asked, event, _state_of(found), error)
        await ledger.write_event(conn, records.event_row(asked, event, result, asked.now))
        await _settle_move(conn, asked, Decided("skipped", f"{error.code}: {error}"))
        _log.info("refused", tenant=asked.tenant, ticket=asked.ticket_id, code=error.code)
        return await self._standing(conn, found, result=result)

    @activity.defn(name=PARK_TICKET)
    async def park(self, parking: Parking) -> None:
        """Show what is parked, with what failed, where an operator looks."""
        about = {"tenant": parking.tenant, "ticket_id": parking.ticket_id}
        trigger_id, error = parking.trigger_id, parking.error
        async with transaction(self._pool) as conn:
            await parkings.park(conn, **about, trigger_id=trigger_id, error=error)
            if trigger_id.startswith(BULK_PREFIX):
                failed = Decided("failed", error)
                await bulk_changes.record(conn, **about, change_id=trigger_id, decided=failed)


async def _settle_move(conn: Connection, asked: DecideInput, decided: Decided) -> None:
    """Record what became of the move that a bulk change asked for, if one did."""
    if asked.event is not None and asked.event.change_id:
        await bulk_changes.record(
            conn,
            tenant=asked.tenant,
            ticket_id=asked.ticket_id,
            change_id=asked.event.change_id,
            decided=decided,
        )


async def _unbegun(conn: Connection, asked: DecideInput) -> tuple[EffectRef, ...]:
    """Return what earlier decisions want outside and nobody has begun: their answer was lost."""
    rows = await effects.waiting(
        conn, tenant=asked.tenant, ticket_id=asked.ticket_id, states=["intended"]
    )
    return tuple(records.effect_ref(row) for row in rows)


def _first_result(asked: DecideInput, found: ledger.Found, result: EventResult) -> EventResult:
    """Return the first result of a repeat, or a refusal where it is another event."""
    event = asked.event
    error = records.reused(event, found.first_event) if event is not None else None
    if event is None or error is None:
        return result
    return records.refused_result(asked, event, _state_of(found), error)


async def _read(conn: Connection, asked: DecideInput) -> ledger.Found:
    return await ledger.read(
        conn,
        tenant=asked.tenant,
        ticket_id=asked.ticket_id,
        workflow_id=asked.workflow_id,
        decision_seq=asked.decision_seq,
        event_id=asked.event.event_id if asked.event else "",
        at=_happened(asked),
    )


def _happened(asked: DecideInput) -> datetime:
    """Return the nominal instant of the trigger."""
    if asked.deadline is not None:
        return asked.deadline.at
    return min(asked.event.occurred_at, asked.now) if asked.event else asked.now


def _state_of(found: ledger.Found) -> TicketState | None:
    return records.state_from_json(found.state) if found.state else None


def _trigger(asked: DecideInput) -> TicketEvent | Deadline:
    if asked.event is not None:
        return asked.event
    if asked.deadline is None:
        raise LedgerError("a decision needs an event or a deadline")
    return Deadline(asked.deadline.at, asked.deadline.key)


def _text(
    asked: DecideInput, decision: Decision, message: AutoMessage, macros: Macros, locale: str
) -> messages.Message:
    due = decision.next_due
    values = {
        "ticket_id": asked.ticket_id,
        "follow_up": due.at.isoformat(timespec="minutes") if due else "",
    }
    return messages.Message(
        tenant=asked.tenant,
        ticket_id=asked.ticket_id,
        message_ref=message.message_ref,
        kind="reply",
        author_kind="rule",
        author_id=message.macro,
        created_at=decision.at,
        body=macros.render(message.macro, locale, values),
    )
