"""What rules are about, what sets them off, and the facts of all that is no ticket."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from support.callback_hours import NeverWhy
from support.callbacks import (
    CallbackDueKind,
    CallbackEventKind,
    CallbackStatus,
    CallOutcome,
    EndedWhy,
)
from support.lanes import LANES, LaneStatus, Pressure
from support.model import EventKind, Presence
from support.needs import Fact
from support.routing import Role

if TYPE_CHECKING:
    from support.situation import Situation

DEADLINE = "deadline"


class Subject(StrEnum):
    """What a rule is about: its trigger says so, and with that which facts there are."""

    TICKET = "ticket"
    CALLBACK = "callback"
    LANE = "lane"
    ROSTER = "roster"


TRIGGERS: Mapping[str, Subject] = {
    **{str(kind): Subject.TICKET for kind in EventKind},
    DEADLINE: Subject.TICKET,
    "callback": Subject.CALLBACK,
    "lane_status": Subject.LANE,
    "roster": Subject.ROSTER,
}
"""Everything that a rule can be for: an event or deadline of a ticket, a change of a callback or a
deadline of its own, a change of a lane's status, a change of an agent's presence, shift or leave.
"""


ASKED = frozenset({Subject.TICKET})
"""Subjects that the hub asks rules about; other rules are read, tested and explained, no more."""


class FactType(StrEnum):
    """What values a fact has, and with that which comparisons are possible."""

    FLAG = "flag"
    COUNT = "count"
    NUMBER = "number"
    DURATION = "duration"
    CHOICE = "choice"
    TEXT = "text"
    SET = "set"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class FactSpec:
    """One fact: how it is typed, what it means, and how it is read from a ticket's situation.

    `subjects` are those that it is a fact of; `read` is None where a ticket has no such fact.
    """

    name: str
    type: FactType
    meaning: str
    read: "Callable[[Situation], Fact] | None" = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    subjects: tuple[Subject, ...] = (Subject.TICKET,)

    @property
    def of(self) -> str:
        """Whose fact it is, in words."""
        return "all" if len(self.subjects) == len(Subject) else ", ".join(self.subjects)


def _of(
    subject: Subject,
    name: str,
    kind: FactType,
    meaning: str,
    choices: tuple[str, ...] = (),
) -> FactSpec:
    """Return a fact of another subject than tickets."""
    unit = "s" if kind is FactType.DURATION else ""
    return FactSpec(name, kind, meaning, unit=unit, choices=choices, subjects=(subject,))


_CALLBACK = (
    _of(
        Subject.CALLBACK,
        "callback_status",
        FactType.CHOICE,
        "where the callback stands after what happened, dispatch included",
        tuple(map(str, CallbackStatus)),
    ),
    _of(
        Subject.CALLBACK,
        "callback_event",
        FactType.CHOICE,
        "what somebody did; empty where something fell due",
        ("", *map(str, CallbackEventKind)),
    ),
    _of(
        Subject.CALLBACK,
        "callback_due",
        FactType.CHOICE,
        "what fell due; empty where the callback was changed by somebody",
        ("", *map(str, CallbackDueKind)),
    ),
    _of(
        Subject.CALLBACK,
        "callback_overdue",
        FactType.FLAG,
        "its promise is unmet and past due",
    ),
    _of(
        Subject.CALLBACK,
        "callback_missed",
        FactType.FLAG,
        "its promise was not kept, whether it was dialled since or not",
    ),
    _of(
        Subject.CALLBACK,
        "callback_attempts",
        FactType.COUNT,
        "times it was dialled",
    ),
    _of(
        Subject.CALLBACK,
        "callback_outcome",
        FactType.CHOICE,
        "how the last attempt ended of which that is known; empty before",
        ("", *map(str, CallOutcome)),
    ),
    _of(
        Subject.CALLBACK,
        "callback_parked",
        FactType.FLAG,
        "nobody knows what became of its last dial, and a person has to say",
    ),
    _of(
        Subject.CALLBACK,
        "callback_age_s",
        FactType.DURATION,
        "time since it was asked for",
    ),
    _of(
        Subject.CALLBACK,
        "callback_overdue_s",
        FactType.DURATION,
        "time since its promise was missed; 0 where it is not overdue",
    ),
    _of(
        Subject.CALLBACK,
        "callback_blocked",
        FactType.CHOICE,
        "why nobody may be called for it any more; empty where somebody may",
        ("", *map(str, NeverWhy)),
    ),
    _of(
        Subject.CALLBACK,
        "callback_opens_in_s",
        FactType.DURATION,
        "time until somebody may be called: window, calendar, calling hours; 0 now or never",
    ),
    _of(
        Subject.CALLBACK,
        "callback_ended",
        FactType.CHOICE,
        "why it was abandoned; empty otherwise",
        ("", *map(str, EndedWhy)),
    ),
    _of(
        Subject.CALLBACK,
        "callback_language",
        FactType.TEXT,
        "language in which the customer wants to be called; may be empty",
    ),
    _of(
        Subject.CALLBACK,
        "callback_country",
        FactType.TEXT,
        "country of the number, such as SE",
    ),
    _of(
        Subject.CALLBACK,
        "callback_has_ticket",
        FactType.FLAG,
        "it belongs to a ticket",
    ),
)
_LANE = (
    _of(
        Subject.LANE,
        "lane",
        FactType.CHOICE,
        "lane whose status changed",
        tuple(lane.id for lane in LANES),
    ),
    _of(
        Subject.LANE,
        "lane_status",
        FactType.CHOICE,
        "status that it has now",
        tuple(status.word for status in LaneStatus),
    ),
    _of(
        Subject.LANE,
        "lane_status_before",
        FactType.CHOICE,
        "status that it had before",
        tuple(status.word for status in LaneStatus),
    ),
    _of(
        Subject.LANE,
        "lane_signal",
        FactType.COUNT,
        "how many the lane counts",
    ),
    _of(
        Subject.LANE,
        "lane_share",
        FactType.NUMBER,
        "that number as a share of what the team is built for",
    ),
    _of(
        Subject.LANE,
        "score",
        FactType.COUNT,
        "command score of the tenant, 0 to 100",
    ),
    _of(
        Subject.LANE,
        "pressure",
        FactType.CHOICE,
        "pressure on the tenant",
        tuple(pressure.word for pressure in Pressure),
    ),
)
_ROSTER = (
    _of(
        Subject.ROSTER,
        "roster_change",
        FactType.CHOICE,
        "what changed of the agent",
        (
            "came_online",
            "went_away",
            "went_offline",
            "shift_began",
            "shift_ended",
            "leave_began",
            "leave_ended",
            "capacity_freed",
        ),
    ),
    _of(Subject.ROSTER, "agent", FactType.TEXT, "id of the agent"),
    _of(Subject.ROSTER, "agent_team", FactType.TEXT, "team of the agent; may be empty"),
    _of(Subject.ROSTER, "agent_role", FactType.CHOICE, "role of the agent", tuple(map(str, Role))),
    _of(
        Subject.ROSTER,
        "agent_presence",
        FactType.CHOICE,
        "whether the agent can be given work",
        tuple(map(str, Presence)),
    ),
    _of(
        Subject.ROSTER,
        "agent_load_share",
        FactType.NUMBER,
        "units that the agent has taken, as a share of the agent's capacity",
    ),
    _of(Subject.ROSTER, "agent_skills", FactType.SET, "skills of the agent"),
)

OTHERS = (*_CALLBACK, *_LANE, *_ROSTER)
"""Facts of callbacks, lanes and rosters; a test of a rule gives them."""
