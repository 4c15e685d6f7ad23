"""What a resolver may use: the services, the loaders and who asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import strawberry
from strawberry.extensions import SchemaExtension

from app.services.background_batches import BackgroundBatches
from app.services.catalogue import Catalogue
from app.services.classification import ClassificationService
from graphql_schema.loaders import Loaders
from ml.artifact import Manifest


@dataclass
class Context:
    """The context of one request, or of all operations of one WebSocket."""

    client_id: str
    catalogue: Catalogue
    classification: ClassificationService
    background: BackgroundBatches
    manifest: Manifest
    connection_params: dict[str, object] | None = None  # what a WebSocket's client sent first
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.forget_what_was_read()

    def forget_what_was_read(self) -> None:
        """Start with empty loaders: after a mutation, and later on a WebSocket, what is stored may differ."""
        self.loaders = Loaders(self.catalogue)


Info = strawberry.Info[Context, None]


class ForgetWhatWasRead(SchemaExtension):
    """Gives every operation loaders of its own: those of one WebSocket share a context for hours."""

    def on_operation(self) -> Iterator[None]:
        """Start afresh."""
        self.execution_context.context.forget_what_was_read()
        yield
