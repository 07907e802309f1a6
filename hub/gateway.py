"""What the hub needs of whoever takes tickets and commands in."""

from typing import Protocol

from activities.messages import EventResult
from hub.drafts import Command, NewTicket
from support.model import Actor


class TicketGateway(Protocol):
    """The way in for tickets and commands; both raise the kinds of `support.errors.FlowHubError`.

    An empty `event_id` is made up; the same one again returns the first result.
    """

    async def create(
        self, tenant: str, new: NewTicket, *, event_id: str = "", actor: Actor, source: str
    ) -> EventResult:
        """Open a ticket. TicketExistsError if its id is taken."""
        ...

    async def command(
        self,
        tenant: str,
        ticket_id: str,
        command: Command,
        *,
        event_id: str = "",
        actor: Actor,
        source: str,
    ) -> EventResult:
        """Do one thing to a ticket. UnknownTicketError, TransitionRefusedError, InputError."""
        ...
