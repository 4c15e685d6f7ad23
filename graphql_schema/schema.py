"""Building the schema with its limits."""

from __future__ import annotations

import logging

import strawberry
from graphql.validation import NoSchemaIntrospectionCustomRule
from strawberry.extensions import AddValidationRules, MaxTokensLimiter, ValidationCache
from strawberry.file_uploads import Upload
from strawberry.schema.config import StrawberryConfig

from app.services.catalogue import MAX_PAGE_SIZE
from graphql_schema.complexity import CostLimiter
from graphql_schema.context import CheckCaller, ForgetWhatWasRead
from graphql_schema.errors import CodedSchema, MaskUnexpectedErrors
from graphql_schema.mutations import Mutation
from graphql_schema.observation import Observation
from graphql_schema.parsing import DocumentCache
from graphql_schema.queries import Query
from graphql_schema.scalars import UPLOAD
from graphql_schema.shape import ShapeRule
from graphql_schema.subscriptions import Subscription
from graphql_schema.timeout import QueryTimeout
from graphql_schema.types.problem import EXCEPTION_HANDLERS

MAX_TOKENS = 1_000
CACHED_DOCUMENTS = 256


def build_schema(
    *,
    introspection: bool = True,
    max_cost: int | None = None,
    timeout_seconds: float | None = None,
) -> strawberry.Schema:
    """Build the schema.

    Args:
        introspection: whether clients may read the schema; without it, nothing misspelt gets suggestions
            either.
        max_cost: what one operation may cost, see `graphql_schema.complexity`; None for anything.
        timeout_seconds: how long a query may take; None for as long as it likes.
    """
    # It would log every refused query in full, and queries may be hostile.
    logging.getLogger("strawberry.execution").disabled = True
    # Built once: rule classes made for each request would never hit the validation cache.
    rules = (ShapeRule, *(() if introspection else (NoSchemaIntrospectionCustomRule,)))
    return CodedSchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        exception_handlers=EXCEPTION_HANDLERS,
        config=StrawberryConfig(
            scalar_map={Upload: UPLOAD},
            relay_max_results=MAX_PAGE_SIZE,
            disable_field_suggestions=not introspection,
        ),
        extensions=[
            Observation,
            lambda: AddValidationRules(list(rules)),
            lambda: MaxTokensLimiter(max_token_count=MAX_TOKENS),
            lambda: DocumentCache(maxsize=CACHED_DOCUMENTS),
            lambda: ValidationCache(maxsize=CACHED_DOCUMENTS),
            *([] if max_cost is None else [lambda: CostLimiter(max_cost)]),
            *([] if timeout_seconds is None else [lambda: QueryTimeout(timeout_seconds)]),
            MaskUnexpectedErrors,
            ForgetWhatWasRead,
            CheckCaller,
        ],
    )
