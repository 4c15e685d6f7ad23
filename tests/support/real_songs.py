"""The real songs, which are not part of the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

REAL_SONGS = Path(__file__).parents[3] / "shared" / "data"

needs_real_songs = pytest.mark.skipif(
    not REAL_SONGS.is_dir(),
    reason="the real songs cannot be published: these tests run if they are in ../shared/data",
)
