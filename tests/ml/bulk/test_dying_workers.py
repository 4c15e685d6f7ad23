"""A worker process that is killed during a run."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ml.bulk.inputs import find_inputs
from ml.bulk.parquet_output import ParquetOutput, classify_to_parquet
from ml.bulk.run import Model, PartResult, Run, local_cluster
from tests.support.bulk_files import songs_in, write_csv
from tests.support.songs import song_rows

RANGE_BYTES = 40_000
"""Small, so that a short file makes many tasks."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:ResourceWarning")  # from Dask, about the killed process
def test_tasks_of_a_killed_worker_are_repeated_with_the_same_output(model: Model, tmp_path: Path) -> None:
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

            run = Run(client, files, model, range_bytes=RANGE_BYTES)
            output = ParquetOutput(str(tmp_path / name))
            summary = classify_to_parquet(output, 0.0, run, progress, part_rows=150)
        assert summary.rows_classified == 500
        return killed

    # when
    classify("undisturbed", kill=False)
    killed = classify("killed", kill=True)
    # then
    assert len(killed) == 1
    assert results_in(tmp_path / "killed") == results_in(tmp_path / "undisturbed")


def results_in(folder: Path) -> list[dict[str, object]]:
    return [{**song, "classifiedAt": None} for song in songs_in(folder)]
