"""What can be done."""

from __future__ import annotations

from typing import Annotated, cast

import strawberry
from starlette.datastructures import UploadFile
from strawberry import relay
from strawberry.file_uploads import Upload

from app.services.errors import ForbiddenError, InvalidArgumentError
from app.services.roles import Role
from graphql_schema.context import Info
from graphql_schema.inputs import MAX_SONGS, ClassifyBatchOptions, ClassifySongsInput
from graphql_schema.observation import note_rows
from graphql_schema.types.batch import Batch, batch_uuid
from graphql_schema.types.problem import InvalidSongFile, InvalidSongs, SongFileTooLarge
from graphql_schema.types.song import Song


def require_writer(info: Info) -> None:
    """Make sure that the caller may change what is stored.

    Raises:
        ForbiddenError: its role is reader.
    """
    if not info.context.caller.role.includes(Role.WRITER):
        raise ForbiddenError


@strawberry.type(description="Songs that came as JSON, classified and stored.")
class ClassifiedSongs:
    batch: Batch = strawberry.field(description="The batch that they make up.")
    songs: list[Song] = strawberry.field(
        description="The songs in the order they were sent, without those left out; a repeated track id once."
    )


ClassifyBatchResult = Annotated[
    Batch | InvalidSongFile | SongFileTooLarge,
    strawberry.union("ClassifyBatchResult", description="A stored batch, or why there is none."),
]

ClassifySongsResult = Annotated[
    ClassifiedSongs | InvalidSongs,
    strawberry.union("ClassifySongsResult", description="The stored songs, or why there are none."),
]


@strawberry.type(description="What can be done.")
class Mutation:
    @strawberry.mutation(
        description=(
            "Predict the genre of every song in a CSV file and store them, all or nothing. "
            "A song stored before is updated. A large file is queued: follow it with `batchProgress`."
        )
    )
    async def classify_batch(
        self,
        info: Info,
        file: Annotated[Upload, strawberry.argument(description="A CSV file with the 157 song columns.")],
        options: Annotated[
            ClassifyBatchOptions | None, strawberry.argument(description="How to classify the file.")
        ] = None,
    ) -> ClassifyBatchResult:
        require_writer(info)
        chosen = options or ClassifyBatchOptions()
        uploaded = cast("UploadFile", file)  # what our Upload scalar makes of a file part
        row = await info.context.classification.classify_file(
            uploaded.file,
            name=uploaded.filename or "",
            options=chosen.to_options(),
            background=chosen.background,
            client_id=info.context.client_id,
        )
        note_rows(row.rows_uploaded)
        info.context.forget_what_was_read()
        return Batch.of(row)

    @strawberry.mutation(
        description=(
            "Stop a queued or running batch of yours and forget its file; a finished one stays as it is. "
            "Admins may stop those of all clients."
        )
    )
    async def cancel_batch(
        self,
        info: Info,
        id: Annotated[relay.GlobalID, strawberry.argument(description="`Batch.id`.")],
    ) -> Batch:
        require_writer(info)
        row = await info.context.background.cancel(batch_uuid("id", id), info.context.caller)
        info.context.forget_what_was_read()
        return Batch.of(row)

    @strawberry.mutation(
        description="Predict the genre of songs sent as JSON and store them, all or nothing."
    )
    async def classify_songs(
        self,
        info: Info,
        input: Annotated[
            ClassifySongsInput, strawberry.argument(description="The songs and how to classify them.")
        ],
    ) -> ClassifySongsResult:
        require_writer(info)
        if not 1 <= len(input.songs) <= MAX_SONGS:
            raise InvalidArgumentError("input.songs", f"must hold from 1 to {MAX_SONGS:,} songs")
        classified = await info.context.classification.classify_songs(
            [song.to_record() for song in input.songs],
            options=input.to_options(),
            client_id=info.context.client_id,
        )
        note_rows(classified.batch.rows_uploaded)
        info.context.forget_what_was_read()
        return ClassifiedSongs(
            batch=Batch.of(classified.batch),
            songs=[Song.of(row, classified.reasons) for row in classified.songs],
        )
