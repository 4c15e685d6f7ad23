"""Read, check and classify a part of a file on a worker. Tasks can be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.bulk.errors import BulkError
from ml.bulk.inputs import InputFile
from ml.bulk.report import Findings
from ml.model.artifact import ArtifactError, load_ensemble
from ml.model.ensemble import Ensemble
from ml.songs.contract import Songs
from ml.songs.csv_songs import CsvRange, SongFile
from ml.songs.parquet_songs import ParquetSongs
from ml.songs.problems import InvalidSongFileError, OnMissingValue


@dataclass(frozen=True, slots=True)
class Model:
    """A model: a folder that workers can read, and the version that it must contain."""

    folder: str
    version: str

    def load(self) -> Ensemble:
        """Return the model, loaded once in each process.

        Raises:
            BulkError: it is unusable here, or has another version.
        """
        return _load(self)


@lru_cache(maxsize=1)
def _load(model: Model) -> Ensemble:
    try:
        ensemble = load_ensemble(Path(model.folder))
    except ArtifactError as error:
        raise BulkError(f"a worker cannot use the model: {error}") from error
    found = ensemble.manifest.model_version
    if found != model.version:
        raise BulkError(f"a worker found model {found} in {model.folder}, not {model.version}")
    return ensemble


@dataclass(frozen=True, slots=True)
class FilePart:
    """Some rows of an input file, and their approximate size in bytes."""

    file: InputFile
    size: int
    rows: CsvRange | range


@dataclass(frozen=True, slots=True)
class PartResult:
    """The result of a part.

    Attributes:
        part: the part.
        findings: the findings in it.
        track_ids: track IDs of the classified songs in file order, shape (n,).
        titles: n titles.
        probabilities: shape (n, genres), in the order of the model's genres.
        songs: the songs with their features; None unless they are kept.
    """

    part: FilePart
    findings: Findings
    track_ids: npt.NDArray[np.int64]
    titles: list[str]
    probabilities: npt.NDArray[np.float64]
    songs: Songs | None = None


def classify_part(
    part: FilePart, model: Model, on_missing_value: OnMissingValue, keeps_features: bool, check_only: bool
) -> PartResult:
    """Read, check and classify a part.

    Args:
        part: the part.
        model: the model.
        on_missing_value: what to do with rows with missing values.
        keeps_features: whether the result includes the songs with their features.
        check_only: classify nothing, because nothing of this run will be written.

    Raises:
        BulkError: the file is unreadable or has changed, or the model is unusable.
    """
    ensemble = model.load()
    findings = Findings()
    chunks, titles, track_ids = list[Songs](), list[str](), [np.zeros(0, np.int64)]
    probabilities = [np.zeros((0, len(ensemble.genres)))]
    with part.file.open() as opened:
        try:
            reader: SongFile | ParquetSongs
            if isinstance(part.rows, range):
                reader = ParquetSongs(opened, part.rows, on_missing_value=on_missing_value)
            else:
                reader = part.rows.read(opened, part.file.name, on_missing_value)
            findings.report = reader.report
            for songs in reader.chunks():
                if not check_only:
                    prediction = ensemble.classify(songs)
                    findings.songs_outside = findings.songs_outside + prediction.songs_outside
                    track_ids.append(songs.track_ids)
                    titles += songs.titles
                    probabilities.append(prediction.probabilities)
                    if keeps_features:
                        chunks.append(songs)
        except InvalidSongFileError:
            findings.unreadable = True
        except EOFError:
            raise BulkError(f"{part.file.shown} changed while it was read") from None
        except OSError as error:
            raise BulkError(f"{part.file.shown} cannot be read: {error}") from error
    kept = Songs.concatenated(chunks) if chunks else None
    return PartResult(part, findings, np.concatenate(track_ids), titles, np.concatenate(probabilities), kept)
