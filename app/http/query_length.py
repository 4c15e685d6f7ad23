"""How long the text of an operation may be."""

from __future__ import annotations

from typing import Final

MAX_QUERY_LENGTH: Final = 64 * 1024
"""In characters. Documents are remembered by their text, and blanks and comments are no tokens."""

QUERY_TOO_LONG: Final = (
    f"The query is longer than {MAX_QUERY_LENGTH:,} characters; pass long values as variables."
)
