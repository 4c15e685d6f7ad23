"""Random sequences of batches and faults, compared with a simple model of what must be stored."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.faults.conftest import Programs
from tests.support.invariants import check, uuid_of
from tests.support.postgres import Database, Postgres
from tests.support.processes import Service, WorkerProgram
from tests.support.songs import song_file
from tests.support.waiting import FINAL, eventually

pytestmark = pytest.mark.slow

CANCEL = "mutation ($id: ID!) { cancelBatch(id: $id) { status } }"


@dataclass
class Sent:
    """A batch in the model.

    Attributes:
        id: `Batch.id`.
        songs: track ids in its file.
        sent_at: the step in which it was sent.
        known_final_at: the step in which it was first seen as finished.
        status: its final status; empty before.
    """

    id: str
    songs: range
    sent_at: int
    known_final_at: int | None = None
    status: str = ""


@dataclass
class World:
    """The programs, and the model of what they must have stored."""

    postgres: Postgres
    database: Database
    programs: Programs
    service: Service
    worker: WorkerProgram
    sent: list[Sent] = field(default_factory=list)
    steps: Iterator[int] = field(default_factory=count)

    def send(self, songs: range, *, background: bool) -> None:
        batch = self.service.api.classify(song_file(songs), background=background)
        if batch["id"] not in {earlier.id for earlier in self.sent}:  # or it has joined an unfinished one
            self.sent.append(Sent(batch["id"], songs, next(self.steps)))
        if not background:
            assert batch["status"] == "SUCCEEDED"

    def send_refused(self, songs: range, *, background: bool) -> None:
        file = song_file(songs) + b"not,a,song\n"
        answer = self.service.api.classify(file, background=background)
        if background:
            self.sent.append(Sent(answer["id"], range(0), next(self.steps)))
        else:
            assert answer["__typename"] == "InvalidSongFile"

    def cancel_the_last(self) -> None:
        if self.sent:
            self.service.api.post(CANCEL, {"id": self.sent[-1].id})

    def kill_the_worker(self) -> None:
        self.worker.kill()
        self.worker = self.programs.work()

    def stop_the_worker(self) -> None:
        self.worker.send_signal(signal.SIGTERM)
        assert self.worker.end() in (0, -signal.SIGTERM)  # the latter before the service listens
        self.worker = self.programs.work()

    def kill_the_service(self) -> None:
        self.service.kill()
        self.service = self.programs.serve()

    def cut_connections(self) -> None:
        self.database.cut_connections()

    def kill_the_database(self) -> None:
        self.postgres.kill()
        assert self.service.api.post("{ genres { name } }").status_code == 503
        self.postgres.start()

    def look(self) -> None:
        """Note which batches have ended."""
        query = "{ batches(first: 1000) { nodes { id status } } }"
        response = self.service.api.post(query)
        if response.status_code != 200:
            return
        now = next(self.steps)
        statuses = {batch["id"]: batch["status"] for batch in response.json()["data"]["batches"]["nodes"]}
        for batch in self.sent:
            if batch.known_final_at is None and statuses[batch.id] in FINAL:
                batch.known_final_at = now
                batch.status = statuses[batch.id]

    def settle(self) -> None:
        """Wait for the end of all batches."""
        eventually(self._has_ended, "all batches end")

    def _has_ended(self) -> bool:
        if not self.worker.is_running:  # a supervisor restarts it if the database was unreachable
            self.worker = self.programs.work()
        self.look()
        return all(batch.status for batch in self.sent)

    def must_be_stored(self) -> dict[int, set[str]]:
        """Return the songs of successful batches, each with the batches that may have stored it last."""
        holders: dict[int, list[Sent]] = {}
        for batch in self.sent:
            if batch.status == "SUCCEEDED":
                for track_id in batch.songs:
                    holders.setdefault(track_id, []).append(batch)
        return {
            track_id: {
                uuid_of({"id": batch.id})
                for batch in batches
                if not any(
                    batch.known_final_at is not None and later.sent_at > batch.known_final_at
                    for later in batches
                )
            }
            for track_id, batches in holders.items()
        }


songs = st.builds(
    lambda start, length: range(start, start + length),
    st.sampled_from([0, 40, 3_000]),
    st.sampled_from([1, 60, 5_000]),
)
Step = Callable[[World], None]
steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(partial, st.just(World.send), songs=songs, background=st.booleans()),
    st.builds(partial, st.just(World.send), songs=songs, background=st.just(True)),
    st.builds(partial, st.just(World.send_refused), songs=songs, background=st.booleans()),
    st.sampled_from(
        [
            World.cancel_the_last,
            World.kill_the_worker,
            World.stop_the_worker,
            World.kill_the_service,
            World.cut_connections,
            World.kill_the_database,
        ]
    ),
)


@contextmanager
def new_world(postgres: Postgres) -> Iterator[World]:
    with (
        postgres.database() as database,
        TemporaryDirectory() as folder,
        Programs.on(database, Path(folder)) as programs,
    ):
        yield World(postgres, database, programs, programs.serve(), programs.work())


# Not shrunk, because the timing of a smaller sequence differs. The steps are in the report.
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(sequence=st.lists(steps, min_size=4, max_size=10))
def test_only_successful_batches_are_stored_after_random_faults(
    postgres: Postgres, sequence: list[Step]
) -> None:
    with new_world(postgres) as world:
        # when
        for step in sequence:
            print("step:", step)  # noqa: T201  (pytest shows it if the test fails)
            step(world)
            world.look()
        # then
        world.settle()
        for batch in world.sent:
            assert batch.status == "SUCCEEDED" or not batch.songs or batch.status == "CANCELLED"
        check(world.service.api, world.database, world.must_be_stored())
