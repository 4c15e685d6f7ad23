"""Subscriptions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry
from strawberry import relay

from graphql_schema.context import Info
from graphql_schema.types.batch import Batch, batch_uuid


@strawberry.type(description="Subscriptions.")
class Subscription:
    @strawberry.subscription(
        description="Progress of one of your batches, at most once a second. Completes when the batch ends."
    )
    async def batch_progress(
        self,
        info: Info,
        id: Annotated[relay.GlobalID, strawberry.argument(description="`Batch.id`.")],
    ) -> AsyncGenerator[Batch, None]:
        rows_of = info.context.following.follow(batch_uuid("id", id), info.context.caller)
        async with aclosing(rows_of) as rows:
            async for row in rows:
                info.context.check_caller()
                info.context.reset_loaders()
                yield Batch.of(row)
