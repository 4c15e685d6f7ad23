"""A worker process that is killed in mid-run."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ml.bulk.cluster import local_cluster
from ml.bulk.csv_ranges import CsvLimits
from ml.bulk.inputs import find_inputs
from ml.bulk.parquet_output import ParquetOutput, classify_to_parquet
from ml.bulk.tasks import Limits, Model, PartResult
from ml.song_file import OnInvalidRow
from tests.bulk.files import songs_in, write_csv
from tests.factories.songs import song_rows

LIMITS = Limits(csv=CsvLimits(range_bytes=40_000), parquet_rows=20, part_rows=150)
"""Small enough for a short file to be many tasks."""


@pytest.mark.filterwarnings("ignore:.*:ResourceWarning")  # of the process that was killed, inside of Dask
def test_its_work_is_done_again_and_the_output_is_the_same(model: Model, tmp_path: Path) -> None:
    # given
    write_csv(tmp_path / "songs.csv", song_rows(500))
    files = find_inputs([str(tmp_path / "songs.csv")])

    def classify(name: str, *, kill: bool) -> list[int]:
        killed: list[int] = []
        with local_cluster(2) as client:

            def progress(_: PartResult) -> None:
                if kill and not killed:
                    killed.append(next(iter(client.run(os.getpid).values())))
                    os.kill(killed[0], signal.SIGKILL)

            summary = classify_to_parquet(
                client,
                files,
                ParquetOutput(str(tmp_path / name)),
                model,
                on_invalid_row=OnInvalidRow.REJECT_FILE,
                min_confidence=0.0,
                limits=LIMITS,
                progress=progress,
            )
        assert summary.rows_classified == 500
        return killed

    # when
    classify("undisturbed", kill=False)
    killed = classify("killed", kill=True)
    # then
    assert len(killed) == 1
    assert songs_in(tmp_path / "killed") == songs_in(tmp_path / "undisturbed")
