"""Structured logs: one JSON line per event on standard output, from our code and from libraries."""

from __future__ import annotations

import logging
import sys
from typing import Any

from opentelemetry import trace

# structlog imports rich, if it is there, for a console renderer that nobody uses: 6 MB in every
# process. For this one import it is not there.
_RICH = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402

if _RICH is None:
    del sys.modules["rich"]
else:
    sys.modules["rich"] = _RICH


def configure_logs(*, service_name: str, level: str) -> None:
    """Send every log line of this process, as JSON, to standard output."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace_id,
        _name_the_service(service_name),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; call it with an event name and the facts as keyword arguments.

    ``traceparent`` says that a line is about that trace; otherwise it is about the current span's.
    """
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _add_trace_id(_logger: Any, _method: str, event: structlog.types.EventDict) -> Any:
    # What is said of one payment while a batch is worked on belongs to the payment's trace.
    if traceparent := event.pop("traceparent", ""):
        event["trace_id"] = traceparent[3:35]
        return event
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
    return event


def _name_the_service(service_name: str) -> structlog.types.Processor:
    def name_it(_logger: Any, _method: str, event: structlog.types.EventDict) -> Any:
        event["service"] = service_name
        return event

    return name_it
