"""The JSON API of bulk changes: run, list, show, undo, review."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Self

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, Field, model_validator

from hub import assignment
from hub.assignment import USUAL_REASON, ChangeView, Planned, Request
from hub.drafts import MAX_SUBJECT
from hub.web.desk import Desk
from hub.web.forms import ActorForm, Form, OptionalId, not_blank, one_line
from store import bulk_changes
from store.bulk_changes import BulkChange
from support.balancing import COOL_DOWN, MOST_MOVES, TOLERANCE, Terms
from support.model import Actor, ActorKind, checked_id

MAX_LISTED = 1000
_MINUTES = int(COOL_DOWN.total_seconds() // 60)
Line = Annotated[
    str, Field(max_length=MAX_SUBJECT), AfterValidator(one_line), AfterValidator(not_blank)
]


class _ByForm(Form):
    """Whoever asks; without `actor` it is the system. Customers change no owners."""

    actor: ActorForm | None = None

    @model_validator(mode="after")
    def _no_customer(self) -> Self:
        if self.actor is not None and self.actor.kind == "customer":
            raise ValueError("a customer cannot change owners: name an agent")
        return self

    def who(self) -> Actor:
        """Return who asks."""
        return self.actor.actor() if self.actor else Actor(ActorKind.SYSTEM, "api")


class RunForm(_ByForm):
    """A balance to run: of a team or all, at most `limit` moves, `cool_down` in minutes."""

    reason: Line = USUAL_REASON
    dry_run: bool = False
    team: OptionalId = ""
    limit: Annotated[int, Field(ge=1, le=MOST_MOVES)] = MOST_MOVES
    cool_down_minutes: Annotated[int, Field(ge=0, le=10_080)] = _MINUTES
    tolerance: Annotated[float, Field(ge=0, le=1)] = float(TOLERANCE)

    def terms(self) -> Terms:
        """Return how far it goes."""
        cool_down = timedelta(minutes=self.cool_down_minutes)
        return Terms(cool_down, Decimal(str(self.tolerance)), self.limit)


USUAL_RUN = RunForm()


class OffboardForm(_ByForm):
    """Why an agent leaves for good."""

    reason: Line
    dry_run: bool = False


class UndoForm(_ByForm):
    """Why a change is undone."""

    reason: Line
    dry_run: bool = False


class ReviewForm(_ByForm):
    """What came of a review."""

    note: Line


@dataclass(frozen=True, slots=True)
class ChangeList:
    """Bulk changes of a tenant, the latest first."""

    changes: tuple[BulkChange, ...]


def assignment_routes(desk: Desk) -> APIRouter:
    """Return the routes of bulk changes; what they begin, workers carry out: 202."""
    router = APIRouter(prefix="/api/v1/tenants/{tenant}/assignment")

    @router.post("/runs")
    async def run(tenant: str, response: Response, form: RunForm = USUAL_RUN) -> Planned:
        asked = Request(tenant, form.who(), form.reason, form.dry_run)
        done = await assignment.run(desk.pool, asked, team=form.team, terms=form.terms())
        return _begun(tenant, done, response)

    @router.post("/offboardings/{agent_id}")
    async def offboard(
        tenant: str, agent_id: str, form: OffboardForm, response: Response
    ) -> Planned:
        asked = Request(tenant, form.who(), form.reason, form.dry_run)
        return _begun(tenant, await assignment.offboard(desk.pool, asked, agent_id), response)

    @router.get("/changes")
    async def changes(
        tenant: str,
        *,
        open: bool = False,  # noqa: A002  the name of the parameter in the address
        limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 50,
    ) -> ChangeList:
        checked_id(tenant, "tenant")
        async with desk.reading() as conn:
            return ChangeList(
                await bulk_changes.listed(conn, tenant=tenant, to_review=open, limit=limit)
            )

    @router.get("/changes/{change_id}")
    async def change(tenant: str, change_id: str) -> ChangeView:
        checked_id(tenant, "tenant")
        async with desk.reading() as conn:
            return await assignment.shown(conn, tenant, change_id)

    @router.post("/changes/{change_id}/undo")
    async def undo(tenant: str, change_id: str, form: UndoForm, response: Response) -> Planned:
        asked = Request(tenant, form.who(), form.reason, form.dry_run)
        return _begun(tenant, await assignment.undo(desk.pool, asked, change_id), response)

    @router.post("/changes/{change_id}/review")
    async def review(tenant: str, change_id: str, form: ReviewForm) -> BulkChange:
        by = form.who().id
        return await assignment.review(desk.pool, tenant, change_id, by=by, note=form.note)

    return router


def _begun(tenant: str, planned: Planned, response: Response) -> Planned:
    if planned.change_id:
        response.status_code = 202
        response.headers["Location"] = (
            f"/api/v1/tenants/{tenant}/assignment/changes/{planned.change_id}"
        )
    return planned
