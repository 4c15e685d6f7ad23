"""Full disks: that of uploads, and that of the database.

The tests mount small file systems in memory, which requires root. Without root, the file layer of the
service reports a full disk instead.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from app.batches.claims import MAX_ATTEMPTS
from app.http.monitoring import KEPT_SECONDS
from tests.faults.conftest import Programs
from tests.support.folders import open_folder
from tests.support.invariants import batch_of, check, uuid_of
from tests.support.postgres import Database, Postgres
from tests.support.songs import song_file
from tests.support.waiting import eventually, finished

pytestmark = pytest.mark.slow


@contextmanager
def small_file_system(mebibytes: int) -> Iterator[Path]:
    with open_folder() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=1777", "tmpfs", str(folder)]
        if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip(
                "mounting a small file system is not permitted: run the tests as root with CAP_SYS_ADMIN"
            )
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_an_upload_that_fills_the_disk_is_refused(programs: Programs, database: Database) -> None:
    with small_file_system(2) as folder:
        # given
        service = programs.serve(TMPDIR=str(folder))
        # when
        response = service.api.upload(song_file(range(3_000)))
        # then
        assert response.status_code == 507
        (error,) = response.json()["errors"]
        assert error["extensions"]["code"] == "INSUFFICIENT_STORAGE"
        assert shutil.disk_usage(folder).used == 0
        check(service.api, database, {})
        # and a file that fits is accepted
        batch = service.api.classify(song_file(range(500)))
        check(service.api, database, {n: {uuid_of(batch)} for n in range(500)})
        assert "Traceback" not in service.log


def fail_to_write_uploads() -> None:
    """Make temporary files of this process report a full disk."""

    def write(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    tempfile.SpooledTemporaryFile.write = write  # type: ignore[assignment, method-assign]


def test_an_upload_is_refused_if_writing_reports_a_full_disk(programs: Programs, database: Database) -> None:
    # given an injected fault
    service = programs.serve(before=fail_to_write_uploads)
    # when
    response = service.api.upload(song_file(range(3_000)))
    # then
    assert response.status_code == 507
    assert response.json()["errors"][0]["extensions"]["code"] == "INSUFFICIENT_STORAGE"
    check(service.api, database, {})


@contextmanager
def database_on_a_small_disk(postgres: Postgres) -> Iterator[tuple[Database, Path]]:
    """Give a database whose tables are on a small disk, and a file on it that may be deleted to make room."""
    # without autovacuum, which could free space, or use the space that the next connection needs
    with small_file_system(64) as folder, postgres.setting("autovacuum", "off"):
        place = folder / "data"
        place.mkdir()
        shutil.chown(place, *postgres.owner)
        name = f"small_{place.parent.name}".replace("-", "_").lower()
        postgres.execute(f"CREATE TABLESPACE {name} LOCATION '{place}'")
        try:
            with postgres.database(tablespace=name) as database:
                yield database, folder / "ballast"
        finally:
            postgres.execute(f"DROP TABLESPACE {name}")


def fill(ballast: Path, leave_kibibytes: int = 0) -> None:
    room = shutil.disk_usage(ballast.parent).free - 1024 * leave_kibibytes
    with ballast.open("ab") as file:
        file.write(bytes(room))


def test_a_batch_waits_while_the_disk_of_the_database_is_full(postgres: Postgres, tmp_path: Path) -> None:
    with (
        database_on_a_small_disk(postgres) as (database, ballast),
        Programs.on(database, tmp_path) as programs,
    ):
        # given a batch that is queued when the disk becomes full
        service = programs.serve()
        queued = service.api.classify(song_file(range(2_000)), background=True)
        fill(ballast, leave_kibibytes=64)
        # when
        in_request = service.api.upload(song_file(range(5_000, 7_000)))
        to_the_queue = service.api.upload(song_file(range(5_000, 7_000)), background=True)
        worker = programs.work()
        # then
        for response in (in_request, to_the_queue):
            assert response.status_code == 507
            assert response.json()["errors"][0]["extensions"]["code"] == "INSUFFICIENT_STORAGE"
        assert service.api.execute("{ genres { name } }") == {"genres": []}
        eventually(lambda: "DiskFullError" in worker.log, "the worker has met the full disk")
        eventually(
            lambda: worker.log.count("DiskFullError") > MAX_ATTEMPTS,
            "it has tried more often than it may fail",
        )
        assert batch_of(service.api, queued["id"])["status"] in ("QUEUED", "RUNNING", "WAITING")
        # and when there is space again, the batch continues automatically
        ballast.unlink()
        assert finished(service.api, queued["id"])["status"] == "SUCCEEDED"
        batch = service.api.classify(song_file(range(5_000, 7_000)))
        check(
            service.api,
            database,
            {n: {uuid_of(queued)} for n in range(2_000)} | {n: {uuid_of(batch)} for n in range(5_000, 7_000)},
        )


def test_the_service_recovers_from_a_disk_too_full_to_connect(postgres: Postgres, tmp_path: Path) -> None:
    with (
        database_on_a_small_disk(postgres) as (database, ballast),
        Programs.on(database, tmp_path) as programs,
    ):
        # given a disk that became full before PostgreSQL rewrites its catalog cache, which happens with the
        # next connection
        service = programs.serve()
        queued = service.api.classify(song_file(range(2_000)), background=True)
        batch = service.api.classify(song_file(range(2_000, 2_200)))
        fill(ballast)
        database.execute("VACUUM pg_class")
        fill(ballast)
        database.cut_connections()
        with pytest.raises(asyncpg.DiskFullError):
            database.execute("SELECT 1")
        # when
        in_request = service.api.upload(song_file(range(5_000, 5_200)))
        query = service.api.post("{ genres { name } }")
        songs = service.api.http.get(f"/batches/{batch['id']}/songs.csv")
        time.sleep(KEPT_SECONDS + 0.1)  # as long as the health check may return a cached response
        health = service.api.http.get("/healthcheck")
        worker = programs.work()
        # then
        for response in (in_request, query):
            assert response.status_code == 507
            assert response.json()["errors"][0]["extensions"]["code"] == "INSUFFICIENT_STORAGE"
        assert songs.status_code == 503
        assert songs.headers["retry-after"] == "5"
        assert songs.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert health.status_code == 503
        assert health.json()["database"] == "unreachable"
        assert worker.end() == 1
        assert worker.log.startswith(f"genregraph: cannot migrate the database {database.name} at ")
        assert worker.log.endswith(": No space left on device\n")
        assert "Traceback" not in service.log + worker.log
        # and when there is space again
        ballast.unlink()
        programs.work()
        assert finished(service.api, queued["id"])["status"] == "SUCCEEDED"
        check(
            service.api,
            database,
            {n: {uuid_of(queued)} for n in range(2_000)} | {n: {uuid_of(batch)} for n in range(2_000, 2_200)},
        )
