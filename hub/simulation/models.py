"""What a simulation says: one model for table, JSON and page."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class AgentLoad(_Frozen):
    """What one agent carried: capacity units times hours, and how many tickets they have owned."""

    agent_id: str
    team: str
    unit_hours: float
    tickets: int


class Totals(_Frozen):
    """What came of one side. Jain's index is 1 where all agents carry the same, 1/n at worst.

    `steps` of the ladder fall due by policy; `escalations` are what rules made of them, by step.
    """

    tickets: int
    decisions: int
    assignments: int
    assignments_changed: int
    never_owned: int
    steps: int
    escalations: int
    escalations_by_step: Mapping[str, int]
    escalations_by_day: Mapping[str, int]
    breaches: int
    breaches_by_metric: Mapping[str, int]
    notifications: int
    automatic_messages: int
    actions_refused: Mapping[str, int]
    events_refused: Mapping[str, int]
    load: tuple[AgentLoad, ...]
    fairness_unit_hours: float | None
    fairness_tickets: float | None


class Cost(_Frozen):
    """What a side took. `asked` of `answered` questions went to the rules engine itself."""

    seconds: float
    cpu_s: float
    peak_mib: float
    asked: int
    answered: int


class Side(_Frozen):
    """One pack, and what came of it."""

    pack: str
    file: str
    totals: Totals
    cost: Cost


class Summary(_Frozen):
    """How one ticket ended on one side."""

    owner: str
    status: str
    priority: str
    decisions: int
    assignments: int
    steps: int
    escalations: Mapping[str, int]
    breaches: Mapping[str, int]
    notifications: int
    automatic_messages: int
    actions_refused: int


class ActShown(_Frozen):
    """One action: which rule asked for what, and what came of it."""

    rule_id: str
    kind: str
    outcome: str
    detail: str


class StepShown(_Frozen):
    """One decision of one side."""

    seq: int
    trigger_id: str
    trigger: str
    at: datetime
    fired: tuple[str, ...]
    actions: tuple[ActShown, ...]
    owner: str


class RuleSaid(_Frozen):
    """A rule that fired on one side only, and why on each; a side whose pack has it not says so."""

    rule_id: str
    fired_before: bool
    before: str
    fired_after: bool
    after: str


class Parting(_Frozen):
    """The first decision at which the sides part; None where one side decides no more."""

    before: StepShown | None
    after: StepShown | None
    rules: tuple[RuleSaid, ...]


class Change(_Frozen):
    """One thing that is different at the end."""

    what: str
    before: str | int
    after: str | int


class TicketDifference(_Frozen):
    """One ticket that differs.

    `indirect`: the same rules fired where it parts, so it is what happened to other tickets that
    made the difference. No `changes`: it was decided otherwise, and ended the same.
    """

    ticket_id: str
    indirect: bool
    changes: tuple[Change, ...]
    parting: Parting


class Counts(_Frozen):
    """How many tickets differ. `ended_alike`: decided otherwise, and ended the same."""

    tickets: int
    differ: int
    ended_alike: int
    indirect: int
    changed: Mapping[str, int]


class Report(_Frozen):
    """What a rule change does. `top` are the tickets that differ most; all are in the JSON.

    `unknown` says what the source does not tell.
    """

    source: str
    policies: str
    first_instant: datetime
    last_instant: datetime
    events: int
    agents: int
    unknown: tuple[str, ...]
    before: Side
    after: Side
    counts: Counts
    top: tuple[TicketDifference, ...]
    seconds: float
