"""The real songs, which are not part of the repository."""

from __future__ import annotations

import pytest

from tests.support.programs import ROOT

REAL_SONGS = ROOT.parent / "shared/data"

needs_real_songs = pytest.mark.skipif(
    not REAL_SONGS.is_dir(),
    reason="the real songs cannot be published: these tests run if they are in ../shared/data",
)
