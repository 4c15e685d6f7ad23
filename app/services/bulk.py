"""Storing what a bulk run classifies: one batch, all or nothing, as if a client had sent it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncpg
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.engine import SessionFactory, create_engine, create_session_factory
from app.database.migrate import alembic_config, current_revision, head_revision
from app.database.tables import BatchRow, BatchStatus
from app.repositories.batches import BatchRepository
from app.repositories.models import ModelRepository
from app.repositories.songs import SongRepository, StagedSong, fold
from app.services.batch_rows import new_batch, problem_rows
from app.services.drift import drift_of
from ml.bulk.errors import BulkError, BulkUsageError
from ml.bulk.run import Run
from ml.bulk.summary import BulkSummary
from ml.bulk.tasks import Classified, PartResult
from ml.manifest import Manifest

CLIENT_ID = "bulk"
"""Who sent the batch, as the batch tells it."""

Result = TypeVar("Result")
Progress = Callable[[PartResult], None]


class DatabaseLostError(BulkError):
    """The database cannot be reached, or the connection to it was lost; nothing was stored."""


class BulkStore:
    """Stores bulk runs in the database of a service."""

    def __init__(self, database_url: str, manifest: Manifest) -> None:
        """Make the store; it connects when it is used.

        Args:
            database_url: `postgresql://user:password@host:port/database`.
            manifest: of the model that decides.

        Raises:
            BulkUsageError: the URL is none.
        """
        try:
            url = make_url(database_url)
        except ArgumentError as error:
            raise BulkUsageError(
                "the output is no URL like postgresql://user:password@host:5432/database"
            ) from error
        self._shown = f"{url.database} at {url.host}:{url.port or 5432}"
        self._database_url = database_url
        self._manifest = manifest

    def check(self) -> None:
        """Make sure that the database answers and has the tables of this release.

        Raises:
            DatabaseLostError: it does not answer, or lets nobody in.
            BulkError: its tables are missing or of an earlier release.
        """

        async def look(sessions: SessionFactory) -> str | None:
            async with sessions() as session:
                connection = await session.connection()
                return await connection.run_sync(current_revision)

        try:
            revision = asyncio.run(self._with_sessions(look))
        except (TimeoutError, SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
            raise DatabaseLostError(f"cannot reach the database {self._shown}: {_reason(error)}") from error
        known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
        # A revision that is not known is a newer release's, which keeps working with this one's code.
        if revision is None or (revision != head_revision() and revision in known):
            state = "has no tables of the service" if revision is None else f"is at revision {revision}"
            raise BulkError(
                f"the database {self._shown} {state}: run `genregraph migrate` with "
                "GENREGRAPH_DATABASE_URL set to it"
            )

    def classify(
        self,
        run: Run,
        *,
        file_name: str,
        min_confidence: float,
        progress: Progress = lambda _: None,
    ) -> BulkSummary:
        """Do a run whose workers return songs, and store them as one batch, in one transaction.

        Of rows with the same track id the last of all input wins; songs stored before are updated.

        Args:
            run: the run.
            file_name: what the batch is to be called.
            min_confidence: songs of lower confidence are stored as uncertain.
            progress: is told of each part of the input that was read.

        Returns:
            What was done; if it was refused, nothing was stored.

        Raises:
            DatabaseLostError: the connection was lost; nothing was stored.
            BulkError: the run failed; nothing was stored.
        """

        async def work(sessions: SessionFactory) -> BulkSummary:
            async with sessions.begin() as session:
                await ModelRepository(session).register(
                    self._manifest.model_version, self._manifest.to_json()
                )
            async with sessions.begin() as session:
                batch = self._new_batch(file_name, min_confidence)
                staged = await self._stage(session, run, progress)
                if run.refused:  # what ends with the transaction is only the stage
                    return BulkSummary(batch.model_version, run.findings, refused=True)
                await _store(session, batch, run, staged)
            return BulkSummary(
                batch.model_version,
                run.findings,
                rows_duplicated=batch.rows_duplicated,
                rows_uncertain=batch.rows_uncertain,
                genre_counts=batch.genre_counts,
            )

        with self._database_errors():
            return asyncio.run(self._with_sessions(work))

    async def _with_sessions(self, work: Callable[[SessionFactory], Coroutine[Any, Any, Result]]) -> Result:
        engine = create_engine(self._database_url, pool_size=1)
        try:
            return await work(create_session_factory(engine))
        finally:
            await engine.dispose()

    @contextmanager
    def _database_errors(self) -> Iterator[None]:
        try:
            yield
        except (
            TimeoutError,
            SQLAlchemyError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            OSError,
        ) as error:
            lost = not isinstance(error, SQLAlchemyError | asyncpg.PostgresError)
            lost |= isinstance(error, asyncpg.PostgresConnectionError | asyncpg.OperatorInterventionError)
            lost |= isinstance(error, DBAPIError) and error.connection_invalidated
            message = f"the database {self._shown} failed, nothing was stored: {_reason(error)}"
            raise (DatabaseLostError if lost else BulkError)(message) from error

    async def _stage(self, session: AsyncSession, run: Run, progress: Progress) -> int:
        """Copy songs to the stage as workers return them; return how many."""
        songs = SongRepository(session)
        await songs.open_stage()
        staged = 0
        results = run.results()
        try:
            while (result := await asyncio.to_thread(next, results, None)) is not None:
                if result.classified is not None:
                    await songs.stage(
                        _staged_songs(result.classified, result.part.ordinal, self._manifest.genres)
                    )
                    staged += result.songs
                progress(result)
        finally:
            with suppress(
                ValueError
            ):  # interrupted while a thread waits for a result: it ends with the client
                results.close()
        return staged

    def _new_batch(self, file_name: str, min_confidence: float) -> BatchRow:
        return new_batch(
            file_name=file_name,
            client_id=CLIENT_ID,
            created_at=datetime.now(UTC),
            min_confidence=min_confidence,
            model_version=self._manifest.model_version,
        )


async def _store(session: AsyncSession, batch: BatchRow, run: Run, staged: int) -> None:
    report = run.findings.together()
    batch.rows_uploaded = report.rows
    batch.rows_with_missing_values = report.rows_with_missing_values
    batch.rows_invalid = report.rows_invalid
    batch.problem_count = report.problem_count
    batches = BatchRepository(session)
    await batches.add(batch)
    merged = await SongRepository(session).merge_stage(
        batch.id, batch.model_version, batch.created_at, min_confidence=batch.min_confidence
    )
    batch.genre_counts = merged.genre_counts
    batch.rows_uncertain = merged.uncertain
    batch.rows_classified = sum(merged.genre_counts.values())
    batch.rows_duplicated = staged - batch.rows_classified
    batch.drift = drift_of(staged, run.findings.songs_outside)
    batch.status = BatchStatus.SUCCEEDED
    batch.finished_at = datetime.now(UTC)
    await batches.add_problems(problem_rows(batch.id, report.problems))


def _staged_songs(classified: Classified, ordinal: int, genres: Sequence[str]) -> list[StagedSong]:
    probabilities = classified.probabilities
    best = probabilities.argmax(axis=1)
    return list(
        zip(
            range(ordinal, ordinal + len(best)),
            classified.track_ids.tolist(),
            classified.titles,
            map(fold, classified.titles),
            [genres[index] for index in best.tolist()],
            probabilities.max(axis=1).tolist(),
            probabilities.tolist(),
            strict=True,
        )
    )


def _reason(error: Exception) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
