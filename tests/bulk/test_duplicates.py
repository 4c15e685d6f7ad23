"""Of rows with the same track id the last one wins, in whatever order parts arrive."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ml.bulk.duplicates import LastRows


@given(
    parts=st.lists(st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 9), max_size=20), max_size=8),
    order=st.randoms(use_true_random=False),
)
def test_the_losers_are_all_rows_but_the_last_of_each_track_id(
    parts: list[list[int]], order: np.random.Generator
) -> None:
    # given: parts of many rows in input order, and what a dict of them keeps
    numbered = [(number << 40, ids) for number, ids in enumerate(parts)]
    last = {track_id: start + row for start, ids in numbered for row, track_id in enumerate(ids)}
    everything = [start + row for start, ids in numbered for row in range(len(ids))]
    # when
    order.shuffle(numbered)
    with TemporaryDirectory() as folder:
        rows = LastRows(Path(folder))
        for start, ids in numbered:
            rows.add(np.array(ids, np.int64), start)
        losers = rows.losers()
    # then
    assert losers.tolist() == sorted(set(everything) - set(last.values()))
