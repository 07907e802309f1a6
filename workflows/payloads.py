"""Payloads of our messages, read and written by compiled code; the JSON is the SDK's own.

The SDK walks dataclasses in Python, and inside the sandbox each step of the walk is intercepted:
that was half of the CPU time of a ticket's workflow. Fields at their default are left out: most of
a message is, and history is paid for by the byte. So a default of a message never changes.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)

from activities.messages import DecideInput, EffectFailure, EventResult, Parking, Verdict
from support.model import TicketEvent
from workflows.messages import TicketStart

_MESSAGES = (DecideInput, EffectFailure, EventResult, Parking, TicketEvent, TicketStart, Verdict)
_ADAPTERS: Mapping[type, TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in _MESSAGES}


class MessageConverter(JSONPlainPayloadConverter):
    """JSON of our messages by pydantic; everything else as the SDK does it."""

    def to_payload(self, value: Any) -> Payload | None:  # noqa: ANN401  what the SDK gives
        """Write one value."""
        adapter = _ADAPTERS.get(type(value))
        if adapter is None:
            return super().to_payload(value)
        data = adapter.dump_json(value, exclude_defaults=True)
        return Payload(metadata={"encoding": self.encoding.encode()}, data=data)

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ANN401
        """Read one value."""
        adapter = _ADAPTERS.get(type_hint) if isinstance(type_hint, type) else None
        if adapter is None:
            return super().from_payload(payload, type_hint)
        return adapter.validate_json(payload.data)


class MessagesPayloadConverter(CompositePayloadConverter):
    """The SDK's converters, with ours in the place of plain JSON."""

    def __init__(self) -> None:
        super().__init__(
            *(
                MessageConverter()
                if isinstance(converter, JSONPlainPayloadConverter)
                else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


DATA_CONVERTER = replace(DataConverter.default, payload_converter_class=MessagesPayloadConverter)
"""For every client of ours; others may read and write the same payloads without it."""
