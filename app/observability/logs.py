"""Structured logging: readable locally, JSON elsewhere."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from app.settings import LogFormat

Renderer = Callable[[dict[str, object]], str]
"""Renders a line."""


@dataclass
class _Lines:
    """How per-request lines bypass structlog's slower processing; without a handler, they do not."""

    handler: logging.StreamHandler[TextIO] | None = None
    render: Renderer = json.dumps


_LINES: Final = _Lines()


def write_line(log: Any, name: str, level: int, event: str, facts: Mapping[str, object]) -> None:
    """Log an event without a traceback, ten times faster than structlog, in the same format.

    The fields in `facts` are strings or numbers. `log`, of this name, is used if the log has other handlers.
    """
    handler, root = _LINES.handler, logging.getLogger()
    if handler is None or root.handlers != [handler]:
        log.log(level, event, **facts)
    elif root.isEnabledFor(level):
        line = {
            **structlog.contextvars.get_contextvars(),
            **facts,
            "event": event,
            "level": logging.getLevelName(level).lower(),
            "logger": name,
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }
        text = _LINES.render(line)
        with handler.lock or nullcontext():
            handler.stream.write(f"{text}\n")
            handler.flush()


def _console_line(line: dict[str, object]) -> str:
    begin = f"{line.pop('timestamp')} [{line.pop('level'):<9}] {line.pop('event'):<30} [{line.pop('logger')}]"
    return " ".join([begin, *(f"{key}={line[key]}" for key in sorted(line))])


def configure_logs(log_format: LogFormat, level: int = logging.INFO) -> None:
    """Send all logs, including those of libraries, through structlog to standard error.

    Tracebacks omit local variables, which can contain secrets and uploaded rows.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if log_format is LogFormat.JSON:
        renderers: list[structlog.typing.Processor] = [
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    else:
        renderers = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    coloured = log_format is LogFormat.CONSOLE and sys.stderr.isatty()
    _LINES.handler = None if coloured else handler
    _LINES.render = json.dumps if log_format is LogFormat.JSON else _console_line
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers = []
        library.propagate = True
    for chatty in ("httpx", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
