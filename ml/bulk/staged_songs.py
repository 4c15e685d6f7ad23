"""Classified songs as Parquet: how workers put them down, and how parts of the output are made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.bulk.inputs import filesystem_of
from ml.songs import TITLE, TRACK_ID

GENRE = "genre"
CONFIDENT = "confident"


def output_schema(genres: Sequence[str]) -> pa.Schema:
    """Return the columns of the output of a model that tells these genres apart."""
    return pa.schema(
        [
            pa.field(TRACK_ID, pa.int64(), nullable=False),
            pa.field(TITLE, pa.string(), nullable=False),
            pa.field(GENRE, pa.string(), nullable=False),
            pa.field("confidence", pa.float64(), nullable=False),
            pa.field(CONFIDENT, pa.bool_(), nullable=False),
            pa.field(
                "probabilities",
                pa.struct([pa.field(genre, pa.float64(), nullable=False) for genre in genres]),
                nullable=False,
            ),
            pa.field("modelVersion", pa.string(), nullable=False),
        ]
    )


def staged_table(  # noqa: PLR0913 - columns, and what they are made with
    track_ids: npt.NDArray[np.int64],
    titles: Sequence[str],
    probabilities: npt.NDArray[np.float64],
    genres: Sequence[str],
    *,
    min_confidence: float,
    model_version: str,
) -> pa.Table:
    """Return classified songs as a table.

    Args:
        track_ids: shape (n,).
        titles: n titles.
        probabilities: shape (n, genres).
        genres: names of the columns of probabilities.
        min_confidence: songs of lower confidence are not confident.
        model_version: of the model that decided.
    """
    schema = output_schema(genres)
    best = probabilities.argmax(axis=1)
    confidences = probabilities[np.arange(len(best)), best]
    struct = schema.field("probabilities").type
    columns = [
        pa.array(track_ids),
        pa.array(titles, pa.string()),
        pa.array([genres[index] for index in best.tolist()], pa.string()),
        pa.array(confidences),
        pa.array(confidences >= min_confidence),
        pa.StructArray.from_arrays(
            [pa.array(np.ascontiguousarray(column)) for column in probabilities.T], fields=list(struct)
        ),
        pa.array([model_version] * len(best), pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def write_staged(folder: str, name: str, table: pa.Table) -> None:
    """Write a table to a folder; whoever sees the name sees the whole file, also if two write it at once."""
    filesystem, path = filesystem_of(folder)
    scratch = f"{path}/{uuid4().hex}"
    with filesystem.open(scratch, "wb") as file:
        pq.write_table(table, file)
    filesystem.mv(scratch, f"{path}/{name}")


def merge_staged(
    stage: str,
    staged: Sequence[tuple[str, npt.NDArray[np.int64]]],
    folder: str,
    name: str,
    schema: pa.Schema,
) -> Iterator[tuple[dict[str, int], int]]:
    """Write staged files as one, one row group each, and yield what each holds.

    Args:
        stage: URL of the folder they are in.
        staged: their names, each with the places of songs to leave out, ascending.
        folder: URL of the folder to write to.
        name: of the file to write.
        schema: of the files.

    Yields:
        Songs by genre, and how many of them are uncertain.
    """
    source, stage_path = filesystem_of(stage)
    target, path = filesystem_of(folder)
    scratch = f"{path}/{uuid4().hex}"
    with target.open(scratch, "wb") as file, pq.ParquetWriter(file, schema) as writer:
        for staged_name, losers in staged:
            with source.open(f"{stage_path}/{staged_name}", "rb") as opened:
                table = pq.read_table(opened, use_threads=False)
            if len(losers):
                kept = np.ones(len(table), np.bool_)
                kept[losers] = False
                table = table.filter(pa.array(kept))
            if len(table):
                writer.write_table(table)
            counts = {count["values"]: count["counts"] for count in table[GENRE].value_counts().to_pylist()}
            yield counts, len(table) - (pc.sum(table[CONFIDENT]).as_py() or 0)
    target.mv(scratch, f"{path}/{name}")
