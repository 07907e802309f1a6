"""The log's own assignments beside ours: compared row by row, never followed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hub.replay.source import Update
from support.simulate import Member


@dataclass(slots=True)
class Comparison:
    """Counts over the rows at which both the log and we had an owner."""

    team_of: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    same_team: int = 0
    same_agent: int = 0
    rows_without_ours: int = 0
    rows_without_theirs: int = 0
    theirs_changed: int = 0
    _last_ours: dict[str, str] = field(default_factory=dict)
    _last_theirs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, members: Iterable[Member]) -> "Comparison":
        """Start with the teams of our agents."""
        return cls({member.agent_id: member.team for member in members})

    def row(self, ticket_id: str, update: Update, owner: str) -> None:
        """Count one row; `owner` is ours after its events."""
        if update.team:
            before = self._last_theirs.get(ticket_id, update.team)
            self.theirs_changed += before != update.team
            self._last_theirs[ticket_id] = update.team
        if owner:
            self._last_ours[ticket_id] = self.team_of.get(owner, "")
        if not owner:
            self.rows_without_ours += 1
        elif not update.team:
            self.rows_without_theirs += 1
        else:
            self.rows += 1
            self.same_team += self.team_of.get(owner, "") == update.team
            self.same_agent += owner == update.agent

    @property
    def tickets(self) -> int:
        """Tickets that both the log and we gave to a team."""
        return len(self._last_ours.keys() & self._last_theirs.keys())

    @property
    def tickets_same_team(self) -> int:
        """Those of them where our last team is the log's last one."""
        both = self._last_ours.keys() & self._last_theirs.keys()
        return sum(self._last_ours[t] == self._last_theirs[t] for t in both)
