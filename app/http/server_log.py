"""What the server's libraries log of requests, without what is in them."""

from __future__ import annotations

import logging
from typing import Final

_LOGGER: Final = "uvicorn.error"


class _WithoutQuery(logging.Filter):
    """Cuts the query string off the paths of WebSockets, the one kind of request that uvicorn logs here."""

    def filter(self, record: logging.LogRecord) -> bool:
        if "WebSocket" in str(record.msg) and isinstance(record.args, tuple):
            record.args = tuple(
                argument.partition("?")[0] if isinstance(argument, str) else argument
                for argument in record.args
            )
        return True


def leave_queries_out() -> None:
    """Let uvicorn log paths without their query strings; done twice, it is done once."""
    # It warns of every wrong byte in an upload, which the reply tells to whom it concerns.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    logger = logging.getLogger(_LOGGER)
    if not any(isinstance(known, _WithoutQuery) for known in logger.filters):
        logger.addFilter(_WithoutQuery())
