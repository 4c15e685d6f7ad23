"""The context of resolvers: services, loaders and the caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import strawberry
from starlette.requests import HTTPConnection

from app.batches.background import BackgroundBatches
from app.batches.explanations import StoredExplanations
from app.batches.following import Following
from app.batches.receive import ClassificationService
from app.batches.service import Batches
from app.catalogue.accuracy import AccuracyOnVerified
from app.catalogue.errors import ForbiddenError
from app.catalogue.service import Catalogue
from app.catalogue.verification import Verification
from app.clients.roles import Caller
from app.observability.metrics import Operation
from graphql_schema.loaders import Loaders
from ml.model.manifest import Manifest


@dataclass
class Context:
    """The context of one request, or of all operations on one WebSocket."""

    caller: Caller
    catalogue: Catalogue
    accuracy: AccuracyOnVerified
    batches: Batches
    classification: ClassificationService
    background: BackgroundBatches
    following: Following
    explanations: StoredExplanations
    verification: Verification
    manifest: Manifest
    is_known: Callable[[Caller], bool]
    on_operation: Callable[[HTTPConnection | None, Caller, Operation], None]
    connection: HTTPConnection | None = None
    connection_params: dict[str, object] | None = None  # the payload of connection_init
    _loaders: Loaders | None = field(default=None, init=False)

    @property
    def loaders(self) -> Loaders:
        """The loaders of the current operation, created on first use."""
        if self._loaders is None:
            self._loaders = Loaders(self.catalogue, self.batches, self.explanations, self.caller)
        return self._loaders

    @property
    def client_id(self) -> str:
        """The caller."""
        return self.caller.client_id

    def check_caller(self) -> None:
        """Check that the client of a WebSocket, opened perhaps hours ago, is still valid.

        Raises:
            ForbiddenError: the client was revoked or its role has changed.
        """
        if not self.is_known(self.caller):
            raise ForbiddenError("Your credentials are no longer valid. Reconnect with valid credentials.")

    def observe(self, operation: Operation) -> None:
        """Record the end of an operation."""
        self.on_operation(self.connection, self.caller, operation)

    def reset_loaders(self) -> None:
        """Discard the loaders, because stored data may have changed."""
        self._loaders = None


Info = strawberry.Info[Context, None]
