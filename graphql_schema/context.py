"""What a resolver may use: the services, the loaders and who asks."""

from __future__ import annotations

from dataclasses import dataclass, field

import strawberry

from app.services.catalogue import Catalogue
from app.services.classification import ClassificationService
from graphql_schema.loaders import Loaders
from ml.artifact import Manifest


@dataclass
class Context:
    """The context of one request."""

    client_id: str
    catalogue: Catalogue
    classification: ClassificationService
    manifest: Manifest
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.forget_what_was_read()

    def forget_what_was_read(self) -> None:
        """Start with empty loaders; a mutation calls it, since what it wrote may differ."""
        self.loaders = Loaders(self.catalogue)


Info = strawberry.Info[Context, None]
