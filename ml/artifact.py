"""The model artifact: a folder of plain files with a manifest of their hashes.

    manifest.json     what the model is, how well it does, and the SHA-256 of each other file
    fold_0.txt …      the boosters, LightGBM text
    vocabulary.json   words of the lyrics corpus, in column order
    weights.npz       numbers of the extractor and the linear models
    MODEL_CARD.md     the manifest, and the reports where there are some, for people
    reports/          figures and scores that `genregraph evaluate` wrote of this very model

No pickle: loading an artifact runs no code of it. The same training writes the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from ml.classifier import Classifier
from ml.cross_validation import FOLDS
from ml.ensemble import Ensemble
from ml.features import FeatureExtractor
from ml.lexical import LexicalScorer
from ml.linear import LinearModel, NormalScores
from ml.lyrics import Vocabulary
from ml.manifest import FORMAT_VERSION, Manifest
from ml.model_card import model_card
from ml.reports import REPORT_FILES, REPORTS, read_report
from ml.songs import SONG_COLUMNS
from ml.trees import booster_text, load_booster

__all__ = [
    "ArtifactError",
    "Manifest",
    "check_replaceable",
    "encode_files",
    "load_ensemble",
    "save_ensemble",
    "write_card",
]

MANIFEST = "manifest.json"
MODEL_CARD = "MODEL_CARD.md"
VOCABULARY = "vocabulary.json"
WEIGHTS = "weights.npz"
BOOSTERS = tuple(f"fold_{number}.txt" for number in range(FOLDS))
HASHED_FILES = frozenset({VOCABULARY, WEIGHTS, *BOOSTERS})


class ArtifactError(Exception):
    """A folder that is no usable model artifact: one line that says why."""


def load_ensemble(folder: Path) -> Ensemble:
    """Load a model artifact.

    Raises:
        ArtifactError: the artifact is incomplete, damaged, or made for another format or other columns.
    """
    manifest = _read_manifest(folder)
    files = {name: _read_checked(folder / name, digest) for name, digest in sorted(manifest.files.items())}
    try:
        ensemble = _decode(manifest, files)
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, lgb.basic.LightGBMError) as error:
        reason = str(error).partition("\n")[0]
        raise ArtifactError(f"{folder}: the files do not make a model: {reason}") from error
    if ensemble.extractor.names != manifest.features:
        raise ArtifactError(
            f"{folder}: made for other features than this program's: "
            + _difference(manifest.features, ensemble.extractor.names)
        )
    return ensemble


def encode_files(extractor: FeatureExtractor, classifier: Classifier) -> dict[str, bytes]:
    """Return the content of each hashed file of an artifact, by name."""
    lexical = extractor.lexical
    vocabulary = {
        "words": extractor.vocabulary.words,
        "corpus_songs": extractor.corpus_songs,
        "lexical_genres": None if lexical is None else lexical.genres,
    }
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "frequencies": extractor.frequencies,
    }
    for witness, linear in (("sound", classifier.sound), ("words", classifier.words)):
        arrays |= {
            f"{witness}_columns": linear.columns,
            f"{witness}_normal_values": linear.normal_scores.values,
            f"{witness}_normal_scores": linear.normal_scores.scores,
            f"{witness}_normal_starts": linear.normal_scores.starts,
            f"{witness}_weights": linear.weights,
            f"{witness}_intercepts": linear.intercepts,
        }
    if lexical is not None:
        arrays |= {
            "lexical_weights": lexical.weights,
            "lexical_squared_idf": lexical.squared_idf,
            "lexical_intercepts": lexical.intercepts,
        }
    files = {
        VOCABULARY: (json.dumps(vocabulary, ensure_ascii=False, indent=0) + "\n").encode(),
        WEIGHTS: _npz(arrays),
    }
    for name, booster in zip(BOOSTERS, classifier.boosters, strict=True):
        files[name] = booster_text(booster).encode()
    return files


def save_ensemble(manifest: Manifest, files: Mapping[str, bytes], folder: Path) -> None:
    """Write an artifact beside `folder`, then put it in its place: no reader sees half of one.

    Reports of a model that was there go with it: they tell of another model.

    Raises:
        ArtifactError: `folder` holds something else than a model.
        OSError: it cannot be written.
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
        (new / MODEL_CARD).write_text(model_card(manifest, None), encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise


def check_replaceable(folder: Path) -> None:
    """Make sure that a model may be written to this path: nothing there, an empty folder, or a model.

    Raises:
        ArtifactError: something else is there.
    """
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file()):
        raise ArtifactError(f"{folder} is there and is no model: name another folder")
    known = HASHED_FILES | {MANIFEST, MODEL_CARD, ".gitkeep", REPORTS}
    others = sorted({path.name for path in folder.iterdir()} - known)
    if (folder / REPORTS).is_dir():
        reports = {path.name for path in (folder / REPORTS).iterdir()}
        others += sorted(f"{REPORTS}/{name}" for name in reports - REPORT_FILES)
    if others:
        raise ArtifactError(f"{folder} holds {others[0]}, which is no part of a model: name another folder")


def write_card(folder: Path) -> None:
    """Write a model's card anew, from its manifest and its reports.

    Raises:
        ArtifactError: the folder has no usable manifest.
        OSError: the card cannot be written.
    """
    manifest = _read_manifest(folder)
    card = model_card(manifest, read_report(folder / REPORTS))
    (folder / MODEL_CARD).write_text(card, encoding="utf-8")


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged: it is no JSON") from error
    found = content.get("format_version") if isinstance(content, dict) else None
    if found != FORMAT_VERSION:
        raise ArtifactError(
            f"{path}: the format version is {found!r}, this program reads {FORMAT_VERSION}: "
            "train the model anew"
        )
    try:
        manifest = Manifest.from_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ArtifactError(f"{path} is damaged: {where}: {first['msg']}") from error
    if manifest.manifest_sha256 != manifest.own_sha256():
        raise ArtifactError(f"{path} is damaged: its content does not have the hash that it names")
    if manifest.columns != SONG_COLUMNS:
        raise ArtifactError(
            f"{path}: made for other song columns than this program's: "
            + _difference(manifest.columns, SONG_COLUMNS)
        )
    if manifest.files.keys() != HASHED_FILES:
        raise ArtifactError(f"{path}: names other files: {_difference(manifest.files, HASHED_FILES)}")
    return manifest


def _read_checked(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise ArtifactError(f"{path} is damaged: its hash is not the manifest's")
    return content


def _decode(manifest: Manifest, files: Mapping[str, bytes]) -> Ensemble:
    vocabulary = json.loads(files[VOCABULARY])
    with np.load(io.BytesIO(files[WEIGHTS]), allow_pickle=False) as arrays:
        lexical = None
        if vocabulary["lexical_genres"] is not None:
            lexical = LexicalScorer(
                genres=tuple(vocabulary["lexical_genres"]),
                weights=arrays["lexical_weights"],
                squared_idf=arrays["lexical_squared_idf"],
                intercepts=arrays["lexical_intercepts"],
            )
        extractor = FeatureExtractor(
            vocabulary=Vocabulary(vocabulary["words"]),
            frequencies=arrays["frequencies"],
            corpus_songs=vocabulary["corpus_songs"],
            lexical=lexical,
        )
        sound, words = (_linear_model(arrays, witness) for witness in ("sound", "words"))
    boosters = tuple(load_booster(files[name].decode()) for name in BOOSTERS)
    classifier = Classifier(
        sound=sound,
        words=words,
        boosters=boosters,
        tree_weight=manifest.parameters.tree_weight,
        half_evidence=manifest.parameters.half_evidence,
        temperature=manifest.temperature,
    )
    return Ensemble(manifest, extractor, classifier)


def _linear_model(arrays: Mapping[str, npt.NDArray[Any]], witness: str) -> LinearModel:
    values, scores, starts = (arrays[f"{witness}_normal_{part}"] for part in ("values", "scores", "starts"))
    return LinearModel(
        columns=arrays[f"{witness}_columns"],
        normal_scores=NormalScores(values, scores, starts),
        weights=arrays[f"{witness}_weights"],
        intercepts=arrays[f"{witness}_intercepts"],
    )


def _npz(arrays: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    """Return an npz file without times in it, unlike `np.savez`'s."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in sorted(arrays.items()):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
    return buffer.getvalue()


def _difference(
    found: Mapping[str, str] | tuple[str, ...], expected: frozenset[str] | tuple[str, ...]
) -> str:
    missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing:
        return f"{missing[0]} is missing"
    return f"{extra[0]} is unknown" if extra else "in another order"
