"""Structured JSON logs with the ids of what they speak of, never its text."""

import logging
import sys
from collections.abc import MutableMapping
from functools import cache
from typing import Any

import structlog
from temporalio import activity, workflow
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)


def _bind_temporal(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add workflow, run and activity ids, and drop what a replay would say again."""
    if workflow.in_workflow():
        if workflow.unsafe.is_replaying():
            raise structlog.DropEvent
        info = workflow.info()
        event.setdefault("workflow_id", info.workflow_id)
        event.setdefault("run_id", info.run_id)
    elif activity.in_activity():
        about = activity.info()
        event.setdefault("workflow_id", about.workflow_id)
        event.setdefault("run_id", about.workflow_run_id)
        event.setdefault("activity", about.activity_type)
        event.setdefault("attempt", about.attempt)
    return event


@cache
def _forward_core() -> None:
    """Let what the SDK's core says come out with the rest: it would write to standard output."""
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    told = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding
    )
    runtime = Runtime(telemetry=TelemetryConfig(logging=told))
    Runtime.set_default(runtime, error_if_already_set=False)


def configure(level: str = "INFO") -> None:
    """Send structlog and the standard library's records as JSON lines to standard error.

    Raises ValueError for an unknown `level`.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log level {level!r} is unknown: use DEBUG, INFO, WARNING or ERROR")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _bind_temporal,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processor=structlog.processors.JSONRenderer()
        )
    )
    _forward_core()
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger named `name`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
