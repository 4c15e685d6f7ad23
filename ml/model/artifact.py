"""The model artifact: a folder of plain files with a manifest of their hashes.

    manifest.json     description, scores, and the SHA-256 of each other file
    fold_0.txt …      the boosters, LightGBM text
    vocabulary.json   words of the lyrics corpus, in column order
    weights.npz       word frequencies, lexical weights, ranges and medians of the features
    MODEL_CARD.md     the manifest and reports in readable form
    reports/          figures and scores written by `genregraph train` and `evaluate`

There is no pickle: loading an artifact runs no code from it. The same training writes the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from ml.errors import UserError, first_problem
from ml.model.drift import TrainingRanges
from ml.model.ensemble import Classifier, Ensemble, lgb
from ml.model.features import FeatureExtractor, LexicalScorer, Vocabulary
from ml.model.manifest import FORMAT_VERSION, Manifest
from ml.songs.contract import SONG_COLUMNS, Float32Array

FOLDS = 4
MANIFEST = "manifest.json"
MODEL_CARD = "MODEL_CARD.md"
VOCABULARY = "vocabulary.json"
WEIGHTS = "weights.npz"
BOOSTERS = tuple(f"fold_{number}.txt" for number in range(FOLDS))
HASHED_FILES = frozenset({VOCABULARY, WEIGHTS, *BOOSTERS})
_LEXICAL_ARRAYS = ("weights", "squared_idf", "intercepts")
REPORTS = "reports"
METRICS = "metrics.json"
FIGURES = ("confusion_matrix.png", "reliability.png", "per_genre_recall.png", "feature_importance.png")
REPORT_FILES = frozenset({METRICS, *FIGURES})


class ArtifactError(UserError):
    """A folder is not a usable model artifact."""


def load_ensemble(folder: Path) -> Ensemble:
    """Load a model artifact.

    Raises:
        ArtifactError: the artifact is incomplete, damaged, or has another format or other columns.
    """
    manifest = read_manifest(folder)
    files = {name: _read(folder / name) for name in sorted(manifest.files)}
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != manifest.files[name]:
            raise ArtifactError(f"{folder / name} is damaged: its hash differs from the manifest's")
    try:
        ensemble = _decode(manifest, files)
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, lgb.basic.LightGBMError) as error:
        reason = str(error).partition("\n")[0]
        raise ArtifactError(f"{folder}: the files are not a valid model: {reason}") from error
    _check_equal(f"{folder}: the features", manifest.features, ensemble.extractor.names)
    return ensemble


def encode_model(
    extractor: FeatureExtractor,
    boosters: Sequence[lgb.Booster],
    ranges: TrainingRanges,
    medians: Float32Array,
) -> dict[str, bytes]:
    """Return the content of each hashed file of an artifact, by name."""
    lexical = extractor.lexical
    vocabulary = {
        "words": extractor.vocabulary.words,
        "corpus_songs": extractor.corpus_songs,
        "lexical_genres": None if lexical is None else lexical.genres,
    }
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "frequencies": extractor.frequencies,
        "lowest": ranges.lowest,
        "highest": ranges.highest,
        "medians": medians,
    }
    if lexical is not None:
        arrays |= {f"lexical_{name}": getattr(lexical, name) for name in _LEXICAL_ARRAYS}
    return {
        VOCABULARY: (json.dumps(vocabulary, ensure_ascii=False, indent=0) + "\n").encode(),
        WEIGHTS: _npz(arrays),
        **{
            name: booster.model_to_string(num_iteration=-1).encode()
            for name, booster in zip(BOOSTERS, boosters, strict=True)
        },
    }


def save_model(manifest: Manifest, files: Mapping[str, bytes], card: str, folder: Path) -> None:
    """Write an artifact atomically: next to `folder`, then moved into place.

    A replaced model's reports are deleted with it.

    Raises:
        ArtifactError: `folder` contains something other than a model.
        OSError: writing failed.
    """
    check_replaceable(folder)
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        new.mkdir()
        for name, content in files.items():
            (new / name).write_bytes(content)
        text = json.dumps(manifest.to_json(), ensure_ascii=False, indent=2)
        (new / MANIFEST).write_text(text + "\n", encoding="utf-8")
        (new / MODEL_CARD).write_text(card, encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise


def check_replaceable(folder: Path) -> None:
    """Raise `ArtifactError` unless a path is missing, an empty folder, or a model."""
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file()):
        raise ArtifactError(f"{folder} exists and is not a model: choose another folder")
    known = HASHED_FILES | {MANIFEST, MODEL_CARD, REPORTS, *(f"{REPORTS}/{name}" for name in REPORT_FILES)}
    paths = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    if others := sorted(paths - known):
        raise ArtifactError(f"{folder} contains {others[0]}, not part of a model: choose another folder")


def read_manifest(folder: Path) -> Manifest:
    """Read and check only a model's manifest.

    Raises:
        ArtifactError: it is missing, damaged, or has another format or other columns.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(_read(path).decode("utf-8"))
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged: it is not JSON") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"{path}: the format version is {version!r}, but this program needs {FORMAT_VERSION}: "
            "train the model again"
        )
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        raise ArtifactError(f"{path} is damaged: {first_problem(error)}") from error
    if manifest.manifest_sha256 != manifest.own_sha256():
        raise ArtifactError(f"{path} is damaged: its content does not match its hash")
    _check_equal(f"{path}: the song columns", manifest.columns, SONG_COLUMNS)
    _check_equal(f"{path}: the files", tuple(sorted(manifest.files)), tuple(sorted(HASHED_FILES)))
    return manifest


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror or error}") from error


def _decode(manifest: Manifest, files: Mapping[str, bytes]) -> Ensemble:
    vocabulary = json.loads(files[VOCABULARY])
    with np.load(io.BytesIO(files[WEIGHTS]), allow_pickle=False) as arrays:
        lexical = None
        if vocabulary["lexical_genres"] is not None:
            weights = {name: arrays[f"lexical_{name}"] for name in _LEXICAL_ARRAYS}
            lexical = LexicalScorer(tuple(vocabulary["lexical_genres"]), **weights)
        extractor = FeatureExtractor(
            vocabulary=Vocabulary(tuple(vocabulary["words"])),
            frequencies=arrays["frequencies"],
            corpus_songs=vocabulary["corpus_songs"],
            lexical=lexical,
        )
        ranges, medians = TrainingRanges(arrays["lowest"], arrays["highest"]), arrays["medians"]
    boosters = tuple(lgb.Booster(model_str=files[name].decode()) for name in BOOSTERS)
    return Ensemble(manifest, extractor, Classifier(boosters, manifest.temperature), ranges, medians)


def _npz(arrays: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    """Return an npz file without timestamps, unlike `np.savez`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in sorted(arrays.items()):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
    return buffer.getvalue()


def _check_equal(subject: str, actual: tuple[str, ...], expected: tuple[str, ...]) -> None:
    if actual == expected:
        return
    missing, extra = sorted(set(expected) - set(actual)), sorted(set(actual) - set(expected))
    how = f"{missing[0]} is missing" if missing else f"{extra[0]} is unknown" if extra else "in another order"
    raise ArtifactError(f"{subject} differ from this program's: {how}")
