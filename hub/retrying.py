"""Trying again what was parked on a ticket, also on one that is closed."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from temporalio.client import (
    Client,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.messages import EffectRef
from activities.records import effect_ref
from hub.answers import ANSWER_LIMIT_S, nobody_answers
from store import effects, ledger
from store.pool import Pool
from support.errors import RuntimeUnavailableError, UnknownTicketError
from support.model import workflow_id
from workflows.display import at_start
from workflows.messages import TicketStart
from workflows.ticket import TicketWorkflow

_TRIES = 3


async def retry(
    pool: Pool, client: Client, task_queue: str, start: TicketStart, *, only: str = ""
) -> tuple[str, ...]:
    """Try again what is parked on the ticket of `start`; return what that is.

    Where no run of its workflow takes that, a run is started for it, and ends with it. `only`
    leaves out deliveries whose last error is another one.
    """
    about = {"tenant": start.tenant, "ticket_id": start.ticket_id}
    async with pool.connection() as conn:
        rows = await effects.waiting(conn, states=effects.TRY_AGAIN, **about)
        found = await ledger.snapshot(conn, **about)
    refs = [effect_ref(row) for row in rows if only in ("", row.last_error)]
    for _ in range(_TRIES):
        again = await _asked(client, start, refs)
        if again is not None:
            return again
        if found is None:
            raise UnknownTicketError(
                f"there is no ticket {start.ticket_id} in {start.tenant}: nothing is tried again"
            )
        errand = replace(
            start,
            decision_seq=found.decision_seq,
            previous_run=found.run_id,
            effects=tuple(refs),
        )
        if not refs or await _started(client, task_queue, errand):
            return tuple(ref.key for ref in refs)
    raise RuntimeUnavailableError(f"ticket {start.ticket_id} is just moving on: try again")


async def _asked(
    client: Client, start: TicketStart, refs: Sequence[EffectRef]
) -> tuple[str, ...] | None:
    """Ask the ticket's run to try again; None where none runs."""
    handle = client.get_workflow_handle(workflow_id(start.tenant, start.ticket_id))
    try:
        async with asyncio.timeout(ANSWER_LIMIT_S):
            again: list[str] = await handle.execute_update(TicketWorkflow.retry, list(refs))
            return tuple(again)
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise nobody_answers() from error
    except WorkflowUpdateFailedError:
        return None  # The run ended before it took the update, which refuses nothing itself.
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise _no_answer(error) from error


async def _started(client: Client, task_queue: str, errand: TicketStart) -> bool:
    """Start a run that sends what `errand` holds; False if one runs meanwhile."""
    try:
        await client.start_workflow(
            TicketWorkflow.run,
            errand,
            id=workflow_id(errand.tenant, errand.ticket_id),
            task_queue=task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=at_start(errand.tenant),
            static_summary=f"Ticket {errand.ticket_id} of {errand.tenant}: sends what was left",
        )
    except WorkflowAlreadyStartedError:
        return False
    except RPCError as error:
        raise _no_answer(error) from error
    return True


def _no_answer(error: RPCError) -> RuntimeUnavailableError:
    return RuntimeUnavailableError(f"Temporal does not answer ({error.status.name}): try again")
