"""The activities that perform an outside action, known to Temporal by its key alone."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial

import psycopg
from psycopg_pool import PoolTimeout
from temporalio import activity
from temporalio.exceptions import ApplicationError

import logs
from activities.messages import EffectFailure
from activities.outside import channels, errand, smtp, webhook
from activities.outside.errand import Standing
from activities.outside.failures import PERMANENT, UNKNOWN, hopeless
from activities.outside.ways import WRITTEN
from settings import Settings
from store import automation, effects
from store.pool import Pool, transaction
from support.errors import DeliveryError, LedgerError
from support.work import EffectKind

STOPPED = "AutomationStopped"
_log = logs.get(__name__)
_NOT_OF_A_KIND = re.compile(r"[^A-Za-z0-9._-]")


class OutsideActivities:
    """Sends notifications and replies. Register `perform` and `park` with the worker.

    One attempt takes at most about a minute: give it a start-to-close timeout of 90 s.
    """

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings
        channels.hush()

    @activity.defn(name="perform_effect")
    async def perform(self, key: str) -> None:
        """Send the action `key`, at least once; not one that is sent or dismissed already.

        Raises ApplicationError: type DeliveryError or OutcomeUnknown when the next attempt may
        succeed, PermanentDelivery (not retryable) when none can, LedgerError for an unknown key.
        """
        try:
            await self._perform(key)
        except psycopg.Error as error:
            raise _store_failed(error) from None

    @activity.defn(name="park_effect")
    async def park(self, failure: EffectFailure) -> None:
        """Record that the action is given up: failed, unknown, or parked for a person."""
        try:
            await self._park(failure)
        except psycopg.Error as error:
            raise _store_failed(error) from None

    async def _perform(self, key: str) -> None:
        async with transaction(self._pool) as conn:
            before = await errand.take(conn, key)
        if before is None:
            raise ApplicationError(
                f"no outside action {key}", type=LedgerError.code, non_retryable=True
            )
        if before.state in effects.DONE or await self._held_back(before):
            return
        try:
            await self._send(before)
        except DeliveryError as error:
            raise await self._failed(before, error) from None
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001 - its text may hold an address, and is history
            unexpected = DeliveryError(
                type(error).__name__, retryable=True, kind=type(error).__name__, unknown=True
            )
            raise await self._failed(before, unexpected) from None
        async with transaction(self._pool) as conn:
            await errand.record(conn, key, state="sent", delivery="sent")
        _log.info("effect sent", key=key, kind=before.kind)

    async def _held_back(self, before: Standing) -> bool:
        """Park what automation wants while its stop switch is on, which is read here again."""
        if not before.params.get("automatic"):
            return False
        async with transaction(self._pool) as conn:
            if not await automation.stopped(conn, tenant=before.tenant):
                return False
            key = before.action_key
            await errand.record(conn, key, state="parked", error=STOPPED, delivery="parked")
        _log.warning("effect held back", key=key, kind=before.kind, error=STOPPED)
        return True

    async def _failed(self, before: Standing, error: DeliveryError) -> ApplicationError:
        """Record a failed attempt and return what Temporal is told of it.

        Once an attempt may have arrived, no later failure makes that undone.
        """
        unsure = before.unsure or bool(error.details.get("unknown"))
        kind = str(error.details.get("kind", error.code))
        delivery = ""
        if unsure:
            state, kind = "unknown", f"{UNKNOWN}.{kind}"
            delivery = "" if error.retryable else "unknown"
        else:
            state = "sending" if error.retryable else "failed"
            delivery = "" if error.retryable else "failed"
        key = before.action_key
        async with transaction(self._pool) as conn:
            await errand.record(conn, key, state=state, error=kind, delivery=delivery)
        _log.warning("effect not sent", key=key, kind=before.kind, error=kind)
        again = UNKNOWN if unsure else error.code
        return ApplicationError(
            str(error),
            type=again if error.retryable else PERMANENT,
            non_retryable=not error.retryable,
        )

    async def _park(self, failure: EffectFailure) -> None:
        async with transaction(self._pool) as conn:
            standing = await errand.find(conn, failure.key)
            if standing is None or standing.state in effects.DONE:
                return
            state = "parked"
            if standing.unsure:
                state = "unknown"
            elif failure.permanent or standing.state == "failed":
                state = "failed"
            error = standing.last_error or _NOT_OF_A_KIND.sub("", failure.error)[:64]
            await errand.record(conn, failure.key, state=state, error=error, delivery=state)
        _log.error("effect given up", key=failure.key, kind=standing.kind, state=state)

    async def _send(self, standing: Standing) -> None:
        if standing.kind == EffectKind.NOTIFY:
            await self._notify(standing)
        else:
            await self._reply(standing)

    async def _notify(self, standing: Standing) -> None:
        """Tell every channel and the webhook; those that an earlier attempt reached are left out.

        Raises the DeliveryError that says most: one worth repeating before one that is not.
        """
        ways = self._ways(standing)
        if not ways:
            raise hopeless("notify", "NoWayOut")
        reached = {str(way) for way in activity.info().heartbeat_details}
        failed: list[DeliveryError] = []
        for way, send in ways.items():
            if way in reached:
                continue
            try:
                await send()
            except DeliveryError as error:
                failed.append(error)
            else:
                reached.add(way)
                activity.heartbeat(*sorted(reached))
        if failed:
            raise max(failed, key=lambda e: (e.retryable, bool(e.details.get("unknown"))))

    def _ways(self, standing: Standing) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return the ways of a notification by position: a name of one would be history."""
        ways: dict[str, Callable[[], Awaitable[None]]] = {}
        if self._settings.webhook_url and self._settings.webhook_url.get_secret_value():
            ways["webhook"] = partial(self._post, standing, webhook.notification_body(standing))
        text = channels.notice(standing)
        for index, url in enumerate(channels.channel_urls(self._settings)):
            ways[f"channel.{index}"] = partial(asyncio.to_thread, channels.tell, url, text)
        return ways

    async def _reply(self, standing: Standing) -> None:
        """Send a reply by e-mail if that carries the ticket's channel, else by the webhook."""
        async with transaction(self._pool) as conn:
            letter = await errand.letter(conn, standing)
        mail = smtp.server(self._settings)
        if mail and standing.channel in WRITTEN:
            envelope = smtp.compose(standing, letter, self._settings.mail_from)
            await asyncio.to_thread(smtp.deliver, mail, envelope)
        else:
            await self._post(standing, webhook.reply_body(standing, letter))

    async def _post(self, standing: Standing, body: bytes) -> None:
        hook = webhook.webhook(self._settings)
        if hook is None:
            raise hopeless(webhook.WAY, "NoWayOut")
        await webhook.post(hook, key=standing.action_key, body=body)


def _store_failed(error: psycopg.Error) -> ApplicationError:
    """Return the failure of the store without its words, which may quote a row."""
    kind = "PoolTimeout" if isinstance(error, PoolTimeout) else type(error).__name__
    return ApplicationError(f"store: {kind}", type="StoreUnavailable")
