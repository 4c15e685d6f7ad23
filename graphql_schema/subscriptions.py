"""What can be followed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry
from strawberry import relay

from graphql_schema.context import Info
from graphql_schema.types.batch import Batch, batch_uuid


@strawberry.type(description="What can be followed.")
class Subscription:
    @strawberry.subscription(
        description=(
            "A batch of yours now and whenever it got further, at most four times a second; ends when the "
            "batch has."
        )
    )
    async def batch_progress(
        self,
        info: Info,
        id: Annotated[relay.GlobalID, strawberry.argument(description="`Batch.id`.")],
    ) -> AsyncGenerator[Batch, None]:
        rows_of = info.context.background.follow(batch_uuid("id", id), info.context.caller)
        async with aclosing(rows_of) as rows:
            async for row in rows:
                info.context.check_caller()
                info.context.forget_what_was_read()
                yield Batch.of(row)
