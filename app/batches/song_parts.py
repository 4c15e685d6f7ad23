"""Classified songs in columns: encode them as compressed parts and as rows for COPY."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from app.catalogue.repository import fold
from ml.songs.contract import NUMBER_COLUMNS, Songs

_LEVEL = 1

_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"
_FLOAT8_OID = 701
_NULL = -1

_length = struct.Struct(">i").pack


@dataclass(frozen=True, slots=True)
class CatalogueSongs(Songs):
    """Stored songs to reclassify.

    Attributes:
        seen_in: n IDs of the batches that had classified the songs last when they were read.
    """

    seen_in: Sequence[uuid.UUID] = ()


@dataclass(frozen=True)
class SongPart:
    """Some classified songs of a batch.

    Attributes:
        first_ordinal: index in the batch of the first song.
        track_ids: shape (n,).
        titles: n titles.
        probabilities: shape (n, genres), float64, in the order of the model's genres.
        songs: their features; None if only the results are known.
    """

    first_ordinal: int
    track_ids: npt.NDArray[np.int64]
    titles: Sequence[str]
    probabilities: npt.NDArray[np.float64]
    songs: Songs | None = None

    def __len__(self) -> int:
        return len(self.track_ids)

    @cached_property
    def best(self) -> npt.NDArray[np.intp]:
        """Column index of each song's genre, shape (n,)."""
        best: npt.NDArray[np.intp] = self.probabilities.argmax(axis=1)
        return best

    @cached_property
    def confidences(self) -> npt.NDArray[np.float64]:
        """Probability of each song's genre, shape (n,)."""
        return self.probabilities[np.arange(len(self)), self.best]


def pack_answers(part: SongPart) -> bytes:
    """Return the results for some songs, compressed."""
    probabilities = np.ascontiguousarray(part.probabilities, "<f8")
    # Group bytes by significance, because exponent bytes repeat and compress well.
    shuffled = probabilities.view(np.uint8).reshape(-1, 8).T.tobytes()
    head = np.array(probabilities.shape, "<u4").tobytes()
    return _compressed(head, part.track_ids.astype("<i8").tobytes(), *_texts(part.titles), shuffled)


def unpack_answers(data: bytes, first_ordinal: int) -> SongPart:
    """Return the songs from the output of `pack_answers`, without features."""
    body = _decompressed(data)
    songs, genres = np.frombuffer(body, "<u4", 2).tolist()
    track_ids = np.frombuffer(body, "<i8", songs, 8).astype(np.int64)
    titles = _texts_at(body, 8 + 8 * songs, songs)
    shuffled = np.frombuffer(body, np.uint8, offset=len(body) - 8 * songs * genres).reshape(8, -1)
    probabilities = np.ascontiguousarray(shuffled.T).view("<f8").reshape(songs, genres)
    return SongPart(first_ordinal, track_ids, titles, probabilities.astype(np.float64))


def _pack_features(songs: Songs) -> bytes:
    """Return the features of songs, compressed; for stored songs, only their batch IDs."""
    if isinstance(songs, CatalogueSongs):
        return _compressed(*(key.bytes for key in songs.seen_in))
    return _compressed(songs.numbers.astype("<f4").tobytes(), *_texts(songs.tags))


def _with_features(part: SongPart, data: bytes) -> SongPart:
    """Return a part with the features from the output of `_pack_features`."""
    body, n, width = _decompressed(data), len(part), len(NUMBER_COLUMNS)
    if len(body) == 16 * n:
        seen = [uuid.UUID(bytes=body[16 * row : 16 * (row + 1)]) for row in range(n)]
        nothing = np.zeros((n, width), np.float32)
        return replace(part, songs=CatalogueSongs(part.track_ids, part.titles, [""] * n, nothing, seen))
    numbers = np.frombuffer(body, "<f4", n * width).reshape(n, width).astype(np.float32)
    tags = _texts_at(body, 4 * n * width, n)
    return replace(part, songs=Songs(part.track_ids, part.titles, tags, numbers))


STAGE_COLUMNS = (
    *("ordinal", "track_id", "genre", "confidence", "probabilities"),
    *("numbers", "seen_in", "title", "title_folded", "tags"),
)
"""Columns of the rows created by `copy_rows`: bigint, bigint, smallint (index of the genre),
double precision, double precision[], bytea, uuid, text, text, text."""


def copy_rows(part: SongPart) -> bytes:
    """Return the songs in PostgreSQL's binary COPY format, with the columns of `STAGE_COLUMNS`.

    Encoding records with asyncpg, value by value, takes several times as long.
    """
    seen_in = part.songs.seen_in if isinstance(part.songs, CatalogueSongs) else None
    features = part.songs if seen_in is None else None
    fixed = _fixed_columns(part, None if features is None else features.numbers, seen_in)
    rows, width = fixed.tobytes(), fixed.itemsize
    pieces = [_COPY_HEADER]
    no_tags = _length(_NULL)
    for row, title in enumerate(part.titles):
        shown, folded = title.encode(), fold(title).encode()
        pieces += (rows[row * width : (row + 1) * width], _length(len(shown)), shown)
        pieces += (_length(len(folded)), folded)
        if features is None:
            pieces.append(no_tags)
        else:
            tags = features.tags[row].encode()
            pieces += (_length(len(tags)), tags)
    pieces.append(_COPY_END)
    return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class PackedPart:
    """A part, encoded in a thread because that takes a while.

    `answers` are the compressed results. `rows` are for the staging table, if the songs are staged now.
    Otherwise they are staged later, from the results and the compressed `features`, which together are
    smaller than the rows.
    """

    part: SongPart
    answers: bytes
    rows: bytes = b""
    features: bytes | None = None


def pack_to_stage(part: SongPart, *, keeps_features: bool) -> PackedPart:
    """Encode a part for the transaction that stores its batch."""
    return PackedPart(
        part, pack_answers(part), rows=copy_rows(part if keeps_features else replace(part, songs=None))
    )


def pack_to_keep(part: SongPart, *, keeps_features: bool) -> PackedPart:
    """Encode a part for storage until all parts of its batch are complete."""
    assert part.songs is not None
    needed = keeps_features or isinstance(part.songs, CatalogueSongs)
    return PackedPart(part, pack_answers(part), features=_pack_features(part.songs) if needed else None)


def rows_to_stage(part: SongPart, features: bytes | None) -> bytes:
    """Return the rows for the staging table of a part that was kept with these features."""
    return copy_rows(part if features is None else _with_features(part, features))


def _fixed_columns(
    part: SongPart, numbers: npt.NDArray[np.float32] | None, seen_in: Sequence[uuid.UUID] | None
) -> npt.NDArray[np.void]:
    """Return the columns of fixed width, each value preceded by its size as COPY requires."""
    genres = part.probabilities.shape[1]
    array = [
        *(("dimensions", ">i4"), ("has_nulls", ">i4"), ("type", ">i4"), ("length", ">i4"), ("first", ">i4")),
        ("items", [("size", ">i4"), ("value", ">f8")], (genres,)),
    ]
    columns: dict[str, Any] = {
        "ordinal": ">i8",
        "track_id": ">i8",
        "genre": ">i2",
        "confidence": ">f8",
        "probabilities": array,
        "numbers": None if numbers is None else ("<f4", (len(NUMBER_COLUMNS),)),
        "seen_in": None if seen_in is None else "V16",
    }
    fields: list[tuple[str, Any]] = [("column_count", ">i2")]
    for name, kind in columns.items():
        fields += [(f"{name}_size", ">i4"), *([] if kind is None else [(name, kind)])]
    rows = np.zeros(len(part), np.dtype(fields))
    rows["column_count"] = len(STAGE_COLUMNS)
    for name, kind in columns.items():
        rows[f"{name}_size"] = _NULL if kind is None else np.dtype(kind).itemsize
    rows["ordinal"] = np.arange(part.first_ordinal, part.first_ordinal + len(part))
    rows["track_id"], rows["genre"], rows["confidence"] = part.track_ids, part.best, part.confidences
    arrays = rows["probabilities"]
    arrays["dimensions"], arrays["type"], arrays["length"], arrays["first"] = 1, _FLOAT8_OID, genres, 1
    arrays["items"]["size"], arrays["items"]["value"] = 8, part.probabilities
    if numbers is not None:
        rows["numbers"] = numbers
    if seen_in is not None:
        rows["seen_in"] = np.frombuffer(b"".join(key.bytes for key in seen_in), "V16")
    return rows


def _texts(texts: Sequence[str]) -> tuple[bytes, bytes]:
    """Return the lengths of texts in bytes, and the texts, for `_texts_at`."""
    encoded = [text.encode() for text in texts]
    return np.array([len(text) for text in encoded], "<u4").tobytes(), b"".join(encoded)


def _texts_at(body: bytes, start: int, count: int) -> list[str]:
    """Return the texts whose lengths start at an offset."""
    lengths = np.frombuffer(body, "<u4", count, start)
    ends = (lengths.cumsum(dtype=np.int64) + start + 4 * count).tolist()
    return [body[end - length : end].decode() for end, length in zip(ends, lengths.tolist(), strict=True)]


def _compressed(*parts: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(b"".join(parts))


def _decompressed(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data)
