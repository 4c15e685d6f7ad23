"""The last of several rows with the same track id counts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ml.songs.contract import superseded_rows


@given(track_ids=st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 9), max_size=40))
def test_all_rows_except_the_last_of_each_track_id_are_superseded(track_ids: list[int]) -> None:
    last = {track_id: row for row, track_id in enumerate(track_ids)}

    superseded = superseded_rows(np.array(track_ids, np.int64))

    assert superseded.tolist() == [last[track_id] != row for row, track_id in enumerate(track_ids)]
