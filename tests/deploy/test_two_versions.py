"""The previous release beside this one, on one database, across the newest migration."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from app.database.migrate import head_revision
from tests.client import ApiClient
from tests.deploy.replica import GENREGRAPH, ROOT, inherited, replica, started
from tests.deploy.traffic import Traffic
from tests.factories.songs import song_csv, song_rows

pytestmark = pytest.mark.slow

TITLES = "query ($batch: ID!) { songs(batchId: $batch) { nodes { trackId genre { name } } } }"


@pytest.fixture
def previous_release(folder: Path) -> Path:
    """The code of just before the newest migration came, from git."""
    newest = git("log", "-1", "--format=%H", "--diff-filter=A", "--", "migrations/versions").decode().strip()
    if not newest or not git("rev-parse", "--verify", "--quiet", f"{newest}^"):
        pytest.skip("git has no history from before the newest migration: this is a shallow clone, or none")
    code = folder / "previous"
    with tarfile.open(fileobj=io.BytesIO(git("archive", f"{newest}^"))) as archive:
        archive.extractall(code, filter="data")
    return code


def git(*arguments: str) -> bytes:
    safe = ("-c", f"safe.directory={ROOT}")
    return subprocess.run(["git", *safe, *arguments], cwd=ROOT, capture_output=True, check=False).stdout


def migrate(code: Path, database_url: str) -> str:
    """Migrate by a release's own command, and return what it says."""
    return subprocess.run(
        [*GENREGRAPH, "migrate"],
        cwd=code,
        env={**inherited(), "GENREGRAPH_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_both_classify_and_query_while_and_after_the_database_is_migrated(
    previous_release: Path, empty_database_url: str
) -> None:
    head = f"The database is at revision {head_revision()}.\n"
    before = replica(empty_database_url, folder=str(previous_release))
    after = replica(empty_database_url)
    with started(before):
        # given the previous release at work, on its own schema
        assert migrate(previous_release, empty_database_url) != head
        with Traffic((before.url,)) as traffic:
            traffic.wait_for("upload", 3)
            # when the database is migrated and this release joins
            assert migrate(ROOT, empty_database_url) == head
            traffic.wait_for("upload", 3)
            with started(after), Traffic((after.url,)) as joined:
                joined.wait_for("upload", 3)
                traffic.wait_for("slow upload", 1)
                joined.wait_for("slow upload", 1)
                # then each shows what the other one stored
                with ApiClient(before.url) as old, ApiClient(after.url) as new:
                    for seed, (writer, reader) in enumerate(((old, new), (new, old))):
                        rows = song_rows(10, seed)[3:]  # the first three are the traffic's
                        batch = writer.classify(song_csv(rows))
                        assert batch["status"] == "SUCCEEDED"
                        stored = writer.execute(TITLES, batch=batch["id"])
                        assert len(stored["songs"]["nodes"]) == 7
                        assert reader.execute(TITLES, batch=batch["id"]) == stored
    print(f"previous: {dict(traffic.done)}, this: {dict(joined.done)}")  # noqa: T201 - shown by pytest -s
    assert traffic.failures == []
    assert joined.failures == []


def test_the_previous_release_starts_on_the_migrated_database(
    previous_release: Path, empty_database_url: str
) -> None:
    # given
    migrate(ROOT, empty_database_url)
    # when a roll-out is undone
    again = replica(empty_database_url, folder=str(previous_release))
    with started(again), ApiClient(again.url) as api:
        # then
        assert api.classify(song_csv(song_rows(5)))["status"] == "SUCCEEDED"
        assert api.execute("{ songs { totalCount } }") == {"songs": {"totalCount": 5}}
    # and the schema stays
    assert migrate(ROOT, empty_database_url) == f"The database is at revision {head_revision()}.\n"
