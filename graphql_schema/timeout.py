"""How long a query may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

REQUEST_TIMEOUT: Final = "REQUEST_TIMEOUT"


class QueryTimeout(SchemaExtension):
    """Ends a query that takes too long, and with it the statements that it waits for.

    Mutations are left alone: what an upload costs is bounded otherwise, and whoever cuts one off does not
    know whether it was stored.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def on_execute(self) -> AsyncIterator[None]:
        """Let it run for so long."""
        if self.execution_context.operation_type is not OperationType.QUERY:
            yield
            return
        try:
            async with asyncio.timeout(self._seconds) as limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise GraphQLError(
                f"The query took longer than {self._seconds:g} seconds and was ended; ask for less of it.",
                extensions={"code": REQUEST_TIMEOUT},
            ) from None
