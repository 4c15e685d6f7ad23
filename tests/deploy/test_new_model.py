"""A new model is rolled out replica by replica; an unusable one affects no other replica."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from ml.training.parameters import write_parameters
from tests.support.client import ApiClient
from tests.support.command import run
from tests.support.programs import ROOT
from tests.support.replica import Process, replica, started
from tests.support.songs import song_csv, song_rows
from tests.support.training_files import QUICK, write_training_files
from tests.support.websocket import CREDENTIALS

pytestmark = pytest.mark.slow

SONGS = "{ songs { nodes { trackId modelVersion } } }"


@pytest.fixture
def new_model(folder: Path) -> Path:
    """A small model of three genres, trained by the command."""
    files = write_training_files(folder)
    write_parameters(folder / "parameters.json", QUICK, study={})
    code, output = run(
        *("train", "--features", files.features, "--labels", files.labels),
        *("--parameters", folder / "parameters.json", "--out", folder / "model"),
    )
    assert code == 0, output
    return folder / "model"


def version_of(model: Path) -> str:
    return str(json.loads((model / "manifest.json").read_text(encoding="utf-8"))["model_version"])


def test_two_models_serve_at_the_same_time_and_each_song_names_its_model(
    database_url: str, new_model: Path
) -> None:
    # given replicas during a roll-out
    old, new = replica(database_url), replica(database_url, model_dir=str(new_model))
    with started(old, new), ApiClient(old.url) as before, ApiClient(new.url) as after:
        shipped, trained = version_of(ROOT / "model"), version_of(new_model)
        assert shipped != trained
        for service, version in ((old, shipped), (new, trained)):
            health = httpx.get(f"{service.url}/healthcheck", headers=CREDENTIALS)
            assert health.json()["modelVersion"] == version
        # when
        before.classify(song_csv(song_rows(2)))
        after.classify(song_csv(song_rows(5)[2:]))
        # then both return all songs
        for api in (before, after):
            nodes = api.execute(SONGS)["songs"]["nodes"]
            assert {node["trackId"]: node["modelVersion"] for node in nodes} == {
                **dict.fromkeys(("1", "2"), shipped),
                **dict.fromkeys(("3", "4", "5"), trained),
            }


def cut_short(model: Path) -> str:
    file = model / "weights.npz"
    file.write_bytes(file.read_bytes()[:-1])
    return f"{file} is damaged: its hash differs from the manifest's"


def of_another_format(model: Path) -> str:
    file = model / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(manifest | {"format_version": 99}), encoding="utf-8")
    readable = manifest["format_version"]
    return f"{file}: the format version is 99, but this program needs {readable}: train the model again"


def of_another_program(model: Path) -> str:
    file = model / "manifest.json"
    file.write_bytes(b"\x80\x04\x95")  # the start of a pickle
    return f"{file} is damaged: it is not JSON"


@pytest.mark.parametrize(
    ("command", "spoil"), [("worker", cut_short), ("serve", of_another_format), ("serve", of_another_program)]
)
def test_an_invalid_model_ends_the_start_with_one_line(
    database_url: str, folder: Path, command: str, spoil: Callable[[Path], str]
) -> None:
    # given
    model = folder / "model"
    shutil.copytree(ROOT / "model", model)
    reason = spoil(model)
    settings = {"DATABASE_URL": database_url, "MODEL_DIR": str(model), "CLIENTS": "test:test"}
    # when
    process = Process([command], {f"GENREGRAPH_{name}": value for name, value in settings.items()})
    # then
    assert process.run_to_end() == (1, f"genregraph: the model in {model} cannot be used: {reason}\n")


def test_a_damaged_model_does_not_stop_the_old_replica(database_url: str, folder: Path) -> None:
    # given a running replica
    model = folder / "model"
    shutil.copytree(ROOT / "model", model)
    cut_short(model)
    old = replica(database_url)
    with started(old), ApiClient(old.url) as api:
        api.classify(song_csv(song_rows(3)))
        # when the next one's model is damaged
        new = replica(database_url, model_dir=str(model))
        assert new.run_to_end()[0] == 1
        # then
        assert httpx.get(f"{old.url}/healthcheck").status_code == 200
        assert api.classify(song_csv(song_rows(6)[3:]))["status"] == "SUCCEEDED"
        assert {node["modelVersion"] for node in api.execute(SONGS)["songs"]["nodes"]} == {
            version_of(ROOT / "model")
        }
