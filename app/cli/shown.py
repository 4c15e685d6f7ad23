"""Text from elsewhere, such as titles, file names and answers, on its way to a terminal."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What commands terminals, reorders the text around it, or stands for bytes that are no UTF-8."""


def plain(text: str) -> str:
    """Return a text with an escape for each character that does more than show itself."""
    return _HARMFUL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def shown(text: object) -> str:
    """Return a text for Rich, which prints it as it is."""
    from rich.markup import escape

    return escape(plain(str(text)))


def as_json(value: Any) -> str:
    """Return JSON that standard output can write, and that holds no control characters."""
    ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(value, ensure_ascii=ascii_only, indent=2, default=str)
    return _HARMFUL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
