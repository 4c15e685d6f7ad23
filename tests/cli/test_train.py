"""`genregraph train` with other parameters and files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ml.training.train import TrainingFiles
from tests.support.command import run
from tests.support.training_files import write_training_files


@pytest.fixture
def files(tmp_path: Path) -> TrainingFiles:
    return write_training_files(tmp_path)


def train(files: TrainingFiles, parameters: str, *more: object) -> tuple[int, str]:
    folder = files.features.parent
    (folder / "parameters.json").write_text(parameters, encoding="utf-8")
    return run(
        *("train", "--features", files.features, "--labels", files.labels, "--out", folder / "model"),
        *("--parameters", folder / "parameters.json", *more),
    )


def test_parameters_come_from_the_file_and_the_seed_from_the_option(files: TrainingFiles) -> None:
    code, output = train(files, '{"parameters": {"rounds": 3, "seed": 9}}', "--seed", 4)

    assert code == 0
    for text in ("calibration error", "95 % interval", "features: 48 rows, labels: 48 rows", "Model 0.1.0+"):
        assert text in output
    manifest = json.loads((files.features.parent / "model" / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["parameters"]["rounds"], manifest["parameters"]["seed"]) == (3, 4)
    card = (files.features.parent / "model" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "(reports/reliability.png)" in card
    assert len(list((files.features.parent / "model" / "reports").iterdir())) == 5


def test_further_songs_and_lyrics_are_counted(files: TrainingFiles) -> None:
    code, output = train(
        files, '{"parameters": {"rounds": 3}}', "--lyrics", files.lyrics, "--further", files.further
    )

    assert code == 0
    assert "Trained on features: 48 rows, labels: 48 rows, lyrics: 36 rows, further: 24 rows." in output


def test_folds_are_grouped_by_the_artist_column(tmp_path: Path) -> None:
    files = write_training_files(tmp_path, artists=True)

    code, output = train(files, '{"parameters": {"rounds": 3}}')

    assert code == 0
    assert "no artist in two of them" in output


def test_one_file_can_hold_songs_and_genres(files: TrainingFiles) -> None:
    # given: the song file with another column, the genre
    songs = files.features.read_text(encoding="utf-8").splitlines()
    labels = files.labels.read_text(encoding="utf-8").splitlines()
    genres = [line.split(",")[1] for line in labels]
    both = "\n".join(f"{song},{genre}" for song, genre in zip(songs, genres, strict=True))
    files.features.write_text(both, encoding="utf-8")

    code, output = train(TrainingFiles(files.features, files.features), '{"parameters": {"rounds": 3}}')

    assert code == 0
    assert "4 random folds of 48 songs" in output


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ('{"parameters": {"num_leafs": 3}}', "parameters.num_leafs: Extra inputs are not permitted"),
        ('{"parameters": {"num_leaves": 1}}', "num_leaves: Input should be greater"),
    ],
)
def test_invalid_parameters_are_reported_before_training(
    files: TrainingFiles, parameters: str, message: str
) -> None:
    code, output = train(files, parameters)

    assert code == 1
    assert message in output
    assert not (files.features.parent / "model").exists()
