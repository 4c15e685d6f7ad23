"""Structured logging: readable locally, JSON elsewhere."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from functools import cache, partial
from typing import TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from app.settings import LogFormat


class _Logger(structlog.WriteLogger):
    """Writes lines; as in the standard library, one that cannot be written is lost."""

    def __init__(self, file: TextIO, name: str) -> None:
        super().__init__(file)
        self.name = name

    def msg(self, message: str) -> None:
        with suppress(OSError, ValueError):  # a full disk or a closed pipe
            super().msg(message)

    log = debug = info = warning = error = critical = msg


def configure_logs(log_format: LogFormat, level: int = logging.INFO) -> None:
    """Send all logs to standard error, those of libraries in the same format.

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
    # Our own lines skip the standard library, which takes twice as long.
    structlog.configure(
        processors=[*shared, *renderers],
        logger_factory=cache(partial(_Logger, sys.stderr)),
        wrapper_class=structlog.make_filtering_bound_logger(level),
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
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers = []
        library.propagate = True
    for chatty in ("httpx", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
