"""Store the songs of a bulk run as one batch, all or nothing."""

from __future__ import annotations

import asyncio
import posixpath
from contextlib import suppress
from datetime import timedelta

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from app.batches.classifier import SONGS
from app.batches.pipeline import BatchOptions, BatchTransaction, Storage, new_batch
from app.batches.song_parts import SongPart, pack_to_stage
from app.catalogue.songs import SongRepository
from app.database.connect import Database
from app.database.engine import connected
from app.database.errors import DATABASE_ERRORS, is_outage, reason
from app.database.migrate import current_revision, is_behind
from app.database.url import DatabaseUrlError
from ml.bulk.report import BulkSummary
from ml.bulk.run import OnResult, Run
from ml.errors import UnreachableError, UsageError, UserError
from ml.model.drift import by_group
from ml.model.manifest import Manifest

CLIENT_ID = "bulk"
"""Client ID of bulk batches."""


class BulkStore:
    """Stores bulk runs in the database of a genregraph service."""

    def __init__(self, database_url: str, manifest: Manifest, *, result_retention: timedelta) -> None:
        """Create the store; it connects on first use.

        Raises:
            UsageError: the URL is invalid.
        """
        try:
            self._database = Database(database_url)
        except DatabaseUrlError as error:
            raise UsageError(f"--output: {error}") from error
        self._manifest = manifest
        # Features are stored if the run returns them.
        self._storage = Storage(manifest.genres, keeps_features=True, result_retention=result_retention)

    def check(self) -> None:
        """Check that the database is reachable and its schema is current.

        Raises:
            UnreachableError: the database is unreachable or rejects the connection.
            UserError: the tables are missing or belong to an earlier release.
        """

        async def read_revision() -> str | None:
            async with connected(self._database) as sessions, sessions() as session:
                return await (await session.connection()).run_sync(current_revision)

        try:
            revision = asyncio.run(read_revision())
        except DATABASE_ERRORS as error:
            raise UnreachableError(
                f"cannot reach the database {self._database.url.shown}: {reason(error)}"
            ) from error
        if is_behind(revision):  # a newer release's schema works with this code
            state = "has no genregraph tables" if revision is None else f"is at revision {revision}"
            raise UserError(
                f"the database {self._database.url.shown} {state}: run `genregraph migrate` with "
                "GENREGRAPH_DATABASE_URL set to it"
            )

    def classify(self, min_confidence: float, run: Run, progress: OnResult) -> BulkSummary:
        """Store the songs of a run as one batch in one transaction, unless its input is rejected.

        If rows repeat a track ID, the last one wins; songs stored before are updated. Songs with less than
        `min_confidence` are stored as uncertain. `progress` is called for each part of the input.

        Raises:
            UnreachableError: the connection was lost; nothing was stored.
            UserError: the run failed; nothing was stored.
        """
        try:
            return asyncio.run(self._classify(min_confidence, run, progress))
        except DATABASE_ERRORS as error:
            message = f"the database {self._database.url.shown} failed, nothing was stored: {reason(error)}"
            lost = is_outage(error) or not isinstance(error, SQLAlchemyError | asyncpg.PostgresError)
            raise (UnreachableError if lost else UserError)(message) from error

    async def _classify(self, min_confidence: float, run: Run, progress: OnResult) -> BulkSummary:
        options, version = BatchOptions(min_confidence=min_confidence), self._manifest.model_version
        async with connected(self._database) as sessions:
            async with sessions.begin() as session:
                await SongRepository(session).register_model(self._manifest)
            async with sessions.begin() as session:
                batch = new_batch(options, version, CLIENT_ID, file_name=_name(run))
                transaction = await BatchTransaction(session, batch, self._storage).open()
                staged = await self._stage(transaction, run, progress)
                if run.refused:
                    await session.rollback()
                    return BulkSummary(version, run.findings, run.by_file, refused=True)
                batch.drift = {SONGS: staged, **by_group(run.findings.songs_outside)}
                await transaction.finish(run.findings.report)
        return BulkSummary(
            version,
            run.findings,
            run.by_file,
            rows_duplicated=batch.rows_duplicated,
            rows_uncertain=batch.rows_uncertain,
            genre_counts=batch.genre_counts,
        )

    async def _stage(self, transaction: BatchTransaction, run: Run, progress: OnResult) -> int:
        """Stage songs as workers return them, and return their number."""
        staged = 0
        results = run.results()
        try:
            while (result := await asyncio.to_thread(next, results, None)) is not None:
                if len(result.track_ids):
                    part = SongPart(
                        staged, result.track_ids, result.titles, result.probabilities, result.songs
                    )
                    packed = await asyncio.to_thread(pack_to_stage, part, keeps_features=True)
                    await transaction.keep_and_stage(packed)
                    staged += len(part)
                progress(result)
        finally:
            # If interrupted while a thread waits for a result, that thread ends with the client.
            with suppress(ValueError):
                results.close()
        return staged


def _name(run: Run) -> str:
    """Return the batch's name, made from its file names."""
    first, *others = (posixpath.basename(file) for file in run.by_file)
    return f"{first} and {len(others)} more" if others else first
