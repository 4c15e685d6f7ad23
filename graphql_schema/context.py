"""What a resolver may use: the services, the loaders and who asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import strawberry
from starlette.requests import HTTPConnection
from strawberry.extensions import SchemaExtension

from app.metrics.operation import Operation
from app.services.background_batches import BackgroundBatches
from app.services.catalogue import Catalogue
from app.services.classification import ClassificationService
from app.services.errors import ForbiddenError
from app.services.roles import Caller
from graphql_schema.loaders import Loaders
from ml.artifact import Manifest


@dataclass
class Context:
    """The context of one request, or of all operations of one WebSocket."""

    caller: Caller
    catalogue: Catalogue
    classification: ClassificationService
    background: BackgroundBatches
    manifest: Manifest
    is_known: Callable[[Caller], bool]
    on_operation: Callable[[HTTPConnection | None, Caller, Operation], None]
    connection: HTTPConnection | None = None
    connection_params: dict[str, object] | None = None  # what a WebSocket's client sent first
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.forget_what_was_read()

    @property
    def client_id(self) -> str:
        """Who calls."""
        return self.caller.client_id

    def check_caller(self) -> None:
        """Make sure that who opened a WebSocket, perhaps hours ago, may still call.

        Raises:
            ForbiddenError: the client was revoked, or has another role now.
        """
        if not self.is_known(self.caller):
            raise ForbiddenError("Your credentials are not valid any more; connect again.")

    def observe(self, operation: Operation) -> None:
        """Take note of an operation that ended."""
        self.on_operation(self.connection, self.caller, operation)

    def forget_what_was_read(self) -> None:
        """Start with empty loaders: after a mutation, and later on a WebSocket, what is stored may differ."""
        self.loaders = Loaders(self.catalogue, self.caller)


Info = strawberry.Info[Context, None]


class ForgetWhatWasRead(SchemaExtension):
    """Gives every operation loaders of its own: those of one WebSocket share a context for hours."""

    def on_operation(self) -> Iterator[None]:
        """Start afresh."""
        self.execution_context.context.forget_what_was_read()
        yield


class CheckCaller(SchemaExtension):
    """Refuses the operations of a client that was revoked since it opened its WebSocket."""

    def on_execute(self) -> Iterator[None]:
        """Look whether the client is still known."""
        self.execution_context.context.check_caller()
        yield
