"""Loading and saving model artifacts: invalid ones are rejected with a one-line message."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ml.model.artifact import HASHED_FILES, ArtifactError, check_replaceable, load_ensemble, save_model
from ml.model.ensemble import Ensemble
from ml.model.manifest import Manifest
from tests.support.shipped_model import MODEL
from tests.support.songs import songs


@pytest.fixture
def model(small_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_model, tmp_path / "model"))


def refusal(folder: Path) -> str:
    with pytest.raises(ArtifactError) as refused:
        load_ensemble(folder)
    message = str(refused.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def change_manifest(folder: Path, **changes: object) -> None:
    """Change the manifest and update its hash."""
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest = Manifest.model_validate(content | changes)
    named = manifest.model_copy(update={"manifest_sha256": manifest.own_sha256()})
    (folder / "manifest.json").write_text(json.dumps(named.to_json()), encoding="utf-8")


@pytest.mark.parametrize("name", sorted(HASHED_FILES))
@pytest.mark.parametrize("where", ["start", "middle", "end"])
def test_a_flipped_byte_is_detected(model: Path, name: str, where: str) -> None:
    content = bytearray((model / name).read_bytes())
    content[{"start": 0, "middle": len(content) // 2, "end": -1}[where]] ^= 1
    (model / name).write_bytes(content)

    assert refusal(model) == f"{model / name} is damaged: its hash differs from the manifest's"


@pytest.mark.parametrize("name", ["manifest.json", *sorted(HASHED_FILES)])
def test_a_missing_file_is_named(model: Path, name: str) -> None:
    (model / name).unlink()

    assert refusal(model) == f"{model / name} cannot be read: No such file or directory"


def test_a_flipped_byte_anywhere_in_the_manifest_is_detected(model: Path) -> None:
    path = model / "manifest.json"
    original = path.read_bytes()
    for place in range(0, len(original), 97):
        damaged = bytearray(original)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        refusal(model)


def test_a_truncated_manifest_is_rejected(model: Path) -> None:
    path = model / "manifest.json"
    path.write_bytes(path.read_bytes()[:-200])

    assert refusal(model) == f"{path} is damaged: it is not JSON"


@pytest.mark.parametrize(
    ("content", "found"), [('{"format_version": 1}', "1"), ("{}", "None"), ("[]", "None"), ("7", "None")]
)
def test_another_format_version_is_rejected(model: Path, content: str, found: str) -> None:
    (model / "manifest.json").write_text(content, encoding="utf-8")

    assert f"the format version is {found}, but this program needs 3" in refusal(model)


def test_a_manifest_that_lacks_a_field_is_rejected(model: Path) -> None:
    content = json.loads((model / "manifest.json").read_text(encoding="utf-8"))
    del content["genres"]
    (model / "manifest.json").write_text(json.dumps(content), encoding="utf-8")

    assert "is damaged: genres: Field required" in refusal(model)


def test_other_song_columns_are_rejected(model: Path) -> None:
    columns = list(load_ensemble(model).manifest.columns)
    change_manifest(model, columns=[*columns[:-1], "vect_999"])

    assert "the song columns differ from this program's: vect_148 is missing" in refusal(model)


def test_song_columns_in_another_order_are_rejected(model: Path) -> None:
    columns = load_ensemble(model).manifest.columns
    change_manifest(model, columns=columns[::-1])

    assert "the song columns differ from this program's: in another order" in refusal(model)


def test_unknown_features_are_rejected(model: Path) -> None:
    features = load_ensemble(model).manifest.features
    change_manifest(model, features=[*features, "shoe_size"])

    assert "the features differ from this program's: tag_count" not in refusal(model)
    assert "shoe_size" in refusal(model)


def test_a_manifest_that_lists_files_outside_the_folder_is_rejected(model: Path) -> None:
    files = load_ensemble(model).manifest.files
    change_manifest(model, files={**files, "../secret": "0" * 64})

    assert "the files differ from this program's: ../secret is unknown" in refusal(model)


def test_invalid_model_files_with_correct_hashes_are_rejected(model: Path) -> None:
    files = dict(load_ensemble(model).manifest.files)
    (model / "vocabulary.json").write_bytes(b"{}")
    files["vocabulary.json"] = hashlib.sha256(b"{}").hexdigest()
    change_manifest(model, files=files)

    assert "the files are not a valid model" in refusal(model)


def test_a_manifest_survives_a_json_round_trip() -> None:
    manifest = load_ensemble(MODEL).manifest

    assert Manifest.model_validate(json.loads(json.dumps(manifest.to_json()))) == manifest


def test_saving_replaces_a_model_and_leaves_no_other_files(small_model: Path, model: Path) -> None:
    ensemble = load_ensemble(small_model)
    files = {name: (small_model / name).read_bytes() for name in ensemble.manifest.files}
    (model / "fold_0.txt").write_text("old", encoding="utf-8")

    save_model(ensemble.manifest, files, "card", model)

    assert load_ensemble(model).manifest == ensemble.manifest
    assert [path.name for path in model.parent.iterdir()] == ["model"]


def test_the_old_model_stays_if_the_new_one_cannot_be_moved_into_place(
    small_model: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = load_ensemble(small_model).manifest
    rename = Path.rename

    def full_disk(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_model(manifest, {}, "card", model)

    assert load_ensemble(model).manifest == manifest
    assert [path.name for path in model.parent.iterdir()] == ["model"]


def test_a_model_folder_with_other_files_is_not_replaced(model: Path) -> None:
    (model / "thesis.docx").write_text("years of work", encoding="utf-8")

    with pytest.raises(ArtifactError, match=r"contains thesis\.docx, not part of a model"):
        check_replaceable(model)


def test_a_models_reports_are_replaced_with_it_but_no_other_files(small_model: Path, model: Path) -> None:
    ensemble = load_ensemble(small_model)
    (model / "reports").mkdir()
    (model / "reports" / "metrics.json").write_text("{}", encoding="utf-8")
    (model / "reports" / "notes.txt").write_text("thoughts", encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"contains reports/notes\.txt, not part of a model"):
        check_replaceable(model)

    (model / "reports" / "notes.txt").unlink()
    save_model(ensemble.manifest, {}, "card", model)

    assert not (model / "reports").exists()


def test_a_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("", encoding="utf-8")

    with pytest.raises(ArtifactError, match="exists and is not a model"):
        check_replaceable(tmp_path / "model")


def test_a_loaded_model_predicts_like_the_saved_one(small_model: Path, model: Path) -> None:
    first: Ensemble = load_ensemble(small_model)

    np.testing.assert_array_equal(
        first.classify(songs(50)).probabilities, load_ensemble(model).classify(songs(50)).probabilities
    )


def test_the_shipped_model_is_small_and_has_no_pickle() -> None:
    files = [path for path in MODEL.iterdir() if path.is_file()]

    assert {path.name for path in files} == {*HASHED_FILES, "manifest.json", "MODEL_CARD.md"}
    assert sum(path.stat().st_size for path in files) < 5_000_000
    with np.load(MODEL / "weights.npz", allow_pickle=False) as arrays:
        assert {arrays[name].dtype.kind for name in arrays} == {"f"}
    for path in files:
        if path.suffix != ".npz":
            path.read_text(encoding="utf-8")
