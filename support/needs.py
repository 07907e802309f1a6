"""What a decision asks of its surroundings, and the answers.

The pure core is a generator: it yields a need and is sent the answer. The transaction of `decide`
answers from PostgreSQL and the rules engine, a simulation from memory; the reasoning is the same.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from support.errors import LedgerError
from support.lanes import Reading
from support.limits import USUAL, Limits
from support.routing import Candidate, Role, Strategy, WorkKind

Fact = bool | int | float | str | tuple[str, ...]
Row = Mapping[str, Fact]
"""Facts of one thing that a ticket is joined with, by their short names."""
Param = bool | int | float | str | tuple[str, ...] | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RuleAction:
    """One action that a rule asks for, with parameters its pack has checked."""

    rule_id: str
    kind: str
    params: Mapping[str, Param]


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """Whether one rule fired, and why or why not."""

    rule_id: str
    fired: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Firing:
    """That a rule fired, remembered for its `cooldown` or `once_per`.

    `scope` is what `once_per` counts by (`Memory.scopes`); empty for a cooldown.
    """

    rule_id: str
    at: datetime
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a ticket remembers of its rules at the instant of the decision.

    `scopes` says which ticket, breach and day it is now, by the words of `once_per`; a word that is
    not there (`breach`, where none is being decided) counts nothing.
    """

    at: datetime
    firings: tuple[Firing, ...] = ()
    scopes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """Answer to EvaluateRules: what fired, in order, what it asks for, and why the rest did not.

    `firings` are to be remembered; `again` are rules that matched, but have fired in this chain
    before; `listens` are all triggers that some rule of the pack is for; `limits` are the pack's.
    """

    fired: tuple[str, ...]
    actions: tuple[RuleAction, ...]
    trace: tuple[RuleTrace, ...]
    pack_name: str
    pack_version: str
    firings: tuple[Firing, ...] = ()
    again: tuple[str, ...] = ()
    listens: frozenset[str] = frozenset()
    limits: Limits = USUAL


@dataclass(frozen=True, slots=True)
class EvaluateRules:
    """Which rules fire on these facts? Answer: RuleVerdict.

    `chain` are the rules whose actions led here: none of them fires again. `related` are the rows
    of `support.relations` by relation; where one is missing that the rules need to tell, the answer
    is Wanted.
    """

    facts: Mapping[str, Fact]
    memory: Memory | None = None
    chain: frozenset[str] = frozenset()
    related: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Answer to EvaluateRules: these relations are needed as well, ask again with them."""

    relations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindCandidates:
    """Who could own the ticket at the instant `at`? Answer: at most 50 Candidates.

    They are online, on shift where the roster has shifts, not on leave, and have all the skills,
    unless `insists` is false. Where there are more, it is those who have room for `units`, then
    `strategy` says which they are. `last_owner`, else who had the ticket `follow_up_of`, is the one
    to whom a ticket sticks.
    """

    role: Role
    team: str
    skills: tuple[str, ...]
    at: datetime
    kind: WorkKind = WorkKind.TICKET
    customer_id: str = ""
    strategy: Strategy = Strategy.LEAST_LOADED
    insists: bool = True
    last_owner: str = ""
    follow_up_of: str = ""
    units: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class FindOutlook:
    """Who of the roster could ever take the ticket, and when? Answer: Outlook."""

    role: Role
    team: str
    skills: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Outlook:
    """How many `agents` suit a ticket, at work or not, and when the next shift of one begins."""

    agents: int
    next_shift_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClaimOwner:
    """Take `units` of an agent's capacity, `forced` also beyond it. Answer: whether it was done.

    Not forced, it also keeps to the capacity of the kind of work and to the limit of new
    assignments.
    """

    agent_id: str
    units: Decimal
    forced: bool
    kind: WorkKind = WorkKind.TICKET


@dataclass(frozen=True, slots=True)
class FindPeople:
    """Who has this role at `at` (for the team, else at all)? Answer: their agent ids, sorted.

    On call is who is on duty by rota, where there is one.
    """

    role: Role
    team: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ReadLanes:
    """How do the lanes of the tenant stand? Answer: Reading."""


@dataclass(frozen=True, slots=True)
class CustomerStanding:
    """What is known of a customer beside one ticket; `first_at` None: there was no ticket yet."""

    language: str
    active_tickets: int
    tickets_30d: int
    breaches_90d: int
    first_at: datetime | None


@dataclass(frozen=True, slots=True)
class FindCustomer:
    """How does the customer stand, this ticket left out? Answer: CustomerStanding."""

    customer_id: str


Need = (
    EvaluateRules
    | FindCandidates
    | FindOutlook
    | ClaimOwner
    | FindPeople
    | ReadLanes
    | FindCustomer
)
Answer = (
    RuleVerdict
    | Wanted
    | tuple[Candidate, ...]
    | Outlook
    | bool
    | tuple[str, ...]
    | Reading
    | CustomerStanding
)
Relate = Callable[[Sequence[str]], "Generator[Need, Answer, Mapping[str, tuple[Row, ...]]]"]
"""Asks for the rows of relations."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and the related rows that were asked for it."""

    verdict: RuleVerdict
    related: Mapping[str, tuple[Row, ...]]


def _unexpected(need: Need, answer: Answer) -> LedgerError:
    return LedgerError(f"{type(need).__name__} was answered with {type(answer).__name__}")


def evaluate(need: EvaluateRules, relate: Relate) -> Generator[Need, Answer, Judged]:
    """Ask the rules, and for the related things that they need to tell."""
    answer = yield need
    if isinstance(answer, Wanted):
        need = replace(need, related=(yield from relate(answer.relations)))
        answer = yield need
    if not isinstance(answer, RuleVerdict):
        raise _unexpected(need, answer)
    return Judged(answer, need.related)


def candidates(need: FindCandidates) -> Generator[Need, Answer, tuple[Candidate, ...]]:
    """Ask for candidates."""
    answer = yield need
    if not isinstance(answer, tuple):
        raise _unexpected(need, answer)
    return tuple(c for c in answer if isinstance(c, Candidate))


def outlook(need: FindOutlook) -> Generator[Need, Answer, Outlook]:
    """Ask who could ever take a ticket."""
    answer = yield need
    if not isinstance(answer, Outlook):
        raise _unexpected(need, answer)
    return answer


def claim(
    agent_id: str, units: Decimal, *, forced: bool, kind: WorkKind
) -> Generator[Need, Answer, bool]:
    """Ask to take capacity."""
    answer = yield ClaimOwner(agent_id, units, forced, kind)
    return answer is True


def people(role: Role, team: str, at: datetime) -> Generator[Need, Answer, tuple[str, ...]]:
    """Ask who has a role at `at`."""
    need = FindPeople(role, team, at)
    answer = yield need
    if not isinstance(answer, tuple):
        raise _unexpected(need, answer)
    return tuple(a for a in answer if isinstance(a, str))


def lanes() -> Generator[Need, Answer, Reading]:
    """Ask how the lanes stand."""
    need = ReadLanes()
    answer = yield need
    if not isinstance(answer, Reading):
        raise _unexpected(need, answer)
    return answer


def customer(customer_id: str) -> Generator[Need, Answer, CustomerStanding]:
    """Ask how a customer stands."""
    need = FindCustomer(customer_id)
    answer = yield need
    if not isinstance(answer, CustomerStanding):
        raise _unexpected(need, answer)
    return answer
