"""From ten keystrokes on the page to `learn`, `reclassify`, and the new genres on the page."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path

import pytest
from pydantic import SecretStr

from ml.model.artifact import read_manifest
from tests.browser.conftest import NEEDS_BROWSER, Run
from tests.conftest import StartService
from tests.support.client import ApiClient
from tests.support.command import run as run_command

pytestmark = NEEDS_BROWSER

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
SONGS = 400
WRONG, RIGHT = "punk", "metal"
CORRECTED, VERIFIED = 6, 10


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """Sample songs of known genres."""
    with (SAMPLE / "features.csv").open("rb") as file:
        lines = list(islice(file, SONGS + 1))
    path = tmp_path / "catalogue.csv"
    path.write_bytes(b"".join(lines))
    return path


def predicted(api: ApiClient) -> dict[str, str]:
    """Return the predicted genres of unverified songs."""
    query = "{ songs(verified: false, first: 1000) { nodes { trackId predictedGenre { name } } } }"
    nodes = api.execute(query)["songs"]["nodes"]
    return {song["trackId"]: song["predictedGenre"]["name"] for song in nodes}


def accuracy(found: dict[str, str]) -> float:
    with (SAMPLE / "labels.csv").open(encoding="utf-8", newline="") as file:
        known = {row["trackID"]: row["genre"] for row in csv.DictReader(file)}
    hits = [known[track_id] == genre for track_id, genre in found.items()]
    return hits.count(True) / len(hits)


def test_the_model_learns_from_ten_keystrokes(
    run: Run, start_service: StartService, database_url: str, catalogue: Path, tmp_path: Path
) -> None:
    # given a user who considers the songs predicted as punk to be metal
    clients, out = SecretStr("test:test:admin"), tmp_path / "learned"
    api = start_service(clients=clients, worker_concurrency=0)  # otherwise its own model might classify
    run(
        "tenKeys",
        api,
        file=str(catalogue),
        wrong=WRONG,
        right=RIGHT,
        corrected=CORRECTED,
        accepted=VERIFIED - CORRECTED,
    )
    before = predicted(api)
    assert len(before) == SONGS - VERIFIED
    # when
    code, output = run_command("learn", "--out", out, GENREGRAPH_DATABASE_URL=database_url)
    # then
    assert code == 0, output
    version = read_manifest(out).model_version
    assert f"Model {version} is in {out}. It learned from {VERIFIED} songs." in output
    # and when the new model is served, and classifies the stored songs
    learned = start_service(clients=clients, model_dir=out)
    code, output = run_command("reclassify", "--all", "--url", learned.url)
    # then similar songs follow, and the others are not worse
    assert code == 0, output
    after = predicted(learned)
    similar = [track_id for track_id, genre in before.items() if genre == WRONG]
    assert sum(after[track_id] == RIGHT for track_id in similar) / len(similar) > 0.1
    others = before.keys() - set(similar)
    kept = {track_id: before[track_id] for track_id in others}
    assert accuracy({track_id: after[track_id] for track_id in others}) > accuracy(kept) - 0.02
    # and the page says so
    run("newModel", learned, version=version)
