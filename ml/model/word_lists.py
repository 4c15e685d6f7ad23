"""Word lists that indicate the language, themes and style of lyrics, from `word_lists.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path

_LISTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

COMMON_WORDS = {name: frozenset(words.split()) for name, words in _LISTS["languages"].items()}
"""Common words by language, in the order of the features."""

THEMES = {name: frozenset(theme["words"].split()) for name, theme in _LISTS["themes"].items()}
"""Words by theme, in the order of the features."""

THEME_LABELS: dict[str, str] = {name: theme["label"] for name, theme in _LISTS["themes"].items()}
