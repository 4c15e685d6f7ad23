"""Mutations."""

from __future__ import annotations

from typing import Annotated, cast

import strawberry
from starlette.datastructures import UploadFile
from strawberry import argument, field, relay
from strawberry.file_uploads import Upload

from app.batches.pipeline import BatchOptions
from app.batches.stored_songs import Selection
from app.catalogue.errors import FORBIDDEN_MESSAGE, ForbiddenError, InvalidArgumentError
from app.catalogue.service import check_model_version
from app.clients.roles import Role
from graphql_schema.context import Info, notes
from graphql_schema.inputs import (
    MAX_SONGS,
    MIN_CONFIDENCE,
    BatchId,
    ClassifyBatchOptions,
    SongsToClassify,
    VerifiedSongInput,
    batch_options,
    track_id_of,
    verified_genres,
)
from graphql_schema.types.batch import Batch, batch_uuid, known_batch
from graphql_schema.types.problem import InvalidSongFile, InvalidSongs, SongFileTooLarge, UnknownSongs
from graphql_schema.types.song import Song


def require(role: Role, info: Info, message: str = FORBIDDEN_MESSAGE) -> None:
    """Check the caller's role.

    Raises:
        ForbiddenError: the caller's role does not include it.
    """
    if not info.context.caller.role.includes(role):
        raise ForbiddenError(message)


@strawberry.type(description="Songs sent as JSON, now classified and stored.")
class ClassifiedSongs:
    batch: Batch = field(description="The batch created for these songs.")
    songs: list[Song] = field(
        description="The songs in the order sent, without skipped ones. A repeated track ID appears once."
    )


@strawberry.type(description="The songs after verification.")
class VerifiedSongs:
    songs: list[Song] = field(description="The songs in the order sent.")


@strawberry.type(description="The result of a deletion.")
class Deletion:
    songs_deleted: int = field(description="The number of songs deleted.")


ClassifyBatchResult = Annotated[
    Batch | InvalidSongFile | SongFileTooLarge,
    strawberry.union("ClassifyBatchResult", description="The batch, or the reason it was refused."),
]

ClassifySongsResult = Annotated[
    ClassifiedSongs | InvalidSongs,
    strawberry.union("ClassifySongsResult", description="The songs, or the reason they were refused."),
]

VerifySongsResult = Annotated[
    VerifiedSongs | UnknownSongs,
    strawberry.union("VerifySongsResult", description="The songs, or the ones that are not stored."),
]


@strawberry.type(description="Mutations.")
class Mutation:
    @strawberry.mutation(
        description=(
            "Classify every song in a CSV file and store the results, all or nothing. Songs already "
            "stored are updated. Large files are queued; follow them with `batchProgress`."
        )
    )
    async def classify_batch(
        self,
        info: Info,
        file: Annotated[Upload, argument("A CSV file with the 157 song columns.")],
        options: Annotated[ClassifyBatchOptions | None, argument("Classification options.")] = None,
    ) -> ClassifyBatchResult:
        require(Role.WRITER, info)
        chosen = options or ClassifyBatchOptions()
        uploaded = cast("UploadFile", file)  # as parsed by the Upload scalar
        row = await info.context.classification.classify_file(
            uploaded.file,
            name=uploaded.filename or "",
            options=batch_options("options", chosen),
            background=chosen.background,
            client_id=info.context.client_id,
        )
        notes.get().rows = row.rows_uploaded
        info.context.reset_loaders()
        return Batch.of(row)

    @strawberry.mutation(
        description=(
            "Cancel a queued or running batch of yours and delete its file. Finished batches are "
            "unchanged. Admins can cancel the batches of all clients."
        )
    )
    async def cancel_batch(self, info: Info, id: BatchId) -> Batch:
        require(Role.WRITER, info)
        row = await info.context.batches.cancel(batch_uuid("id", id), info.context.caller)
        info.context.reset_loaders()
        return Batch.of(row)

    @strawberry.mutation(description="Classify songs sent as JSON and store the results, all or nothing.")
    async def classify_songs(self, info: Info, input: SongsToClassify) -> ClassifySongsResult:
        require(Role.WRITER, info)
        classified = await info.context.classification.classify_songs(
            input.to_records(), options=batch_options("input", input), client_id=info.context.client_id
        )
        notes.get().rows = classified.batch.rows_uploaded
        info.context.reset_loaders()
        return ClassifiedSongs(
            batch=Batch.of(classified.batch),
            songs=[Song.of(row, classified.explanations) for row in classified.songs],
        )

    @strawberry.mutation(
        description=(
            "Store verified genres alongside the predicted ones, all or nothing. Later classifications "
            "never change them."
        )
    )
    async def verify_songs(
        self,
        info: Info,
        input: Annotated[
            list[VerifiedSongInput], argument(f"The songs, each listed once, up to {MAX_SONGS:,}.")
        ],
    ) -> VerifySongsResult:
        require(Role.WRITER, info)
        rows = await info.context.verification.verify(verified_genres(input), info.context.client_id)
        notes.get().rows = len(rows)
        info.context.reset_loaders()
        return VerifiedSongs(songs=[Song.of(row) for row in rows])

    @strawberry.mutation(
        description=(
            "Delete a finished batch of yours with its problems, file and results. Admins can delete the"
            " batches of all clients. Its songs are kept unless `songs` is true; afterwards only admins "
            "can delete them."
        )
    )
    async def delete_batch(
        self,
        info: Info,
        id: BatchId,
        songs: Annotated[
            bool, argument("Also delete the songs that this batch was the last to classify.")
        ] = False,
    ) -> Deletion:
        require(Role.WRITER, info)
        deleted = await info.context.batches.delete(batch_uuid("id", id), info.context.caller, songs=songs)
        info.context.reset_loaders()
        return Deletion(songs_deleted=deleted)

    @strawberry.mutation(
        description=(
            "Delete stored songs; exactly one argument is required. Writers can delete songs last "
            "classified by their own batches, admins any song; other songs are kept and not counted. "
            "Batch downloads are unaffected."
        )
    )
    async def delete_songs(
        self,
        info: Info,
        track_ids: Annotated[
            list[strawberry.ID] | None, argument(f"The track IDs of the songs, up to {MAX_SONGS:,}.")
        ] = None,
        batch_id: Annotated[
            relay.GlobalID | None, argument("The songs that this batch was the last to classify.")
        ] = None,
        all: Annotated[bool | None, argument("All songs you are permitted to delete.")] = None,
    ) -> Deletion:
        require(Role.WRITER, info)
        batches, caller = info.context.batches, info.context.caller
        if (track_ids is not None) + (batch_id is not None) + bool(all) != 1:
            raise InvalidArgumentError(
                "deleteSongs", "specify exactly one of trackIds, batchId and all: true"
            )
        if batch_id is not None:
            deleted = await batches.delete_songs_of(batch_uuid("batchId", batch_id), caller)
        elif track_ids is None:
            deleted = await batches.delete_songs(caller)
        elif len(track_ids) > MAX_SONGS:
            raise InvalidArgumentError("trackIds", f"must contain at most {MAX_SONGS:,} track IDs")
        else:
            numbers = [track_id_of(f"trackIds[{n}]", track_id) for n, track_id in enumerate(track_ids)]
            deleted = await batches.delete_songs(caller, numbers)
        info.context.reset_loaders()
        return Deletion(songs_deleted=deleted)

    @strawberry.mutation(
        description=(
            "Reclassify stored songs with the current model in the background (admins only). Songs must "
            "match all conditions given; `all: true` selects every song. Songs without stored features "
            "are skipped. Follow the new batch with `batchProgress`."
        )
    )
    async def reclassify_songs(
        self,
        info: Info,
        batch_id: Annotated[relay.GlobalID | None, argument("Songs last classified by this batch.")] = None,
        genre: Annotated[str | None, argument("Songs of this genre.")] = None,
        model_version: Annotated[str | None, argument("Songs last classified by this model version.")] = None,
        all: Annotated[bool | None, argument("All songs.")] = None,
        min_confidence: Annotated[float, argument(MIN_CONFIDENCE)] = 0.0,
    ) -> Batch:
        require(Role.ADMIN, info, "Reclassifying songs requires the admin role.")
        batch = await known_batch(info, batch_id)
        if genre is not None:
            await info.context.catalogue.check_genre(genre)
        if model_version is not None:
            check_model_version(model_version)
        options = BatchOptions(min_confidence=min_confidence).checked("reclassifySongs")
        selection = Selection(None if batch is None else str(batch), genre, model_version)
        if bool(selection.to_json()) == bool(all):
            problem = "specify batchId, genre, modelVersion, or all: true"
            raise InvalidArgumentError("reclassifySongs", problem)
        row = await info.context.classification.reclassify(
            selection, min_confidence=options.min_confidence, client_id=info.context.client_id
        )
        info.context.reset_loaders()
        return Batch.of(row)
