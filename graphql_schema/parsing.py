"""Remembering parsed documents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from strawberry.extensions import ParserCache


class DocumentCache(ParserCache):
    """Strawberry's, which breaks off a streamed operation at a syntax error, and logs it, query and all."""

    def on_parse(self) -> Iterator[None]:
        """Remember a document; one that cannot be parsed is parsed again by Strawberry, and refused there."""
        parsing = super().on_parse()
        with suppress(Exception):
            next(parsing)
        yield
