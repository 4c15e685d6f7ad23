"""Parse GraphQL multipart requests: `operations`, `map` and one file, spooled to disk.

https://github.com/jaydenseric/graphql-multipart-request-spec
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from app.errors import RETRY_AFTER_SECONDS, Code
from app.http.requests import read_json
from app.http.responses import BadRequestError, RefusedRequestError

MAX_FIELD_BYTES = 64 * 1024
"""Limit of a part that is not a file: `operations` and `map`."""

MAP_EXAMPLE = 'such as {"0": ["variables.file"]}'

_NAME_FORM: Final = "The filename* of a part must look like UTF-8''songs.csv, percent-encoded."
_EXTENDED_NAME: Final = re.compile(rb";\s*filename\*\s*=\s*\"?([^;\"]*)", re.IGNORECASE)
_EXTENDED_VALUE: Final = re.compile(r"(utf-8|iso-8859-1)'[^']*'(.+)", re.IGNORECASE)

_REASONS = {
    "Too many files": "A request can have one file. Send each file in its own request.",
    "Part exceeded": f"A part without a filename is larger than {MAX_FIELD_BYTES:,} bytes. "
    "If it is the file, add a filename.",
    "Too many fields": "A multipart request has the fields 'operations' and 'map' and one file; this one has "
    "more parts. If one of them is the file, add a filename.",
    "The Content-Disposition": "Each part needs a name in its Content-Disposition header.",
    "Missing boundary": "The content type multipart/form-data needs a boundary.",
}
"""Messages by the start of Starlette's message."""


class Spool:
    """Counts the bytes of all uploads of this process in progress.

    Bytes are counted as they arrive, so that chunked and aborted uploads count correctly.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._used = 0

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that counts the next bytes of a request; they are released at the end.

        The function raises `RefusedRequestError` if they would exceed the limit.
        """
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if self._used + size > self._max_bytes:
                raise RefusedRequestError(
                    Code.INSUFFICIENT_STORAGE,
                    "The disk space for uploads is used up; nothing was stored. Try again in a few seconds.",
                    {"retry-after": str(RETRY_AFTER_SECONDS)},
                )
            self._used += size
            taken += size

        try:
            yield take
        finally:
            self._used -= taken


async def read_form(request: Request) -> FormData:
    """Read the parts of a multipart request, spooling the file to disk.

    Raises:
        BadRequestError: the body is malformed, or has too many parts or too large fields.
        RefusedRequestError: the disk space for uploads is used up.
    """
    parser = _Parser(
        request.headers, request.stream(), max_files=1, max_fields=4, max_part_size=MAX_FIELD_BYTES
    )
    parser.take = request.state.spool
    try:
        form = await parser.parse()
    except MultiPartException as error:
        for beginning, reason in _REASONS.items():
            if error.message.startswith(beginning):
                raise BadRequestError(reason) from error
        raise BadRequestError("The body is not valid multipart/form-data.") from error
    request._form = form  # noqa: SLF001 - for Request.close()
    return form


class _Parser(MultiPartParser):
    """Starlette's parser, stricter and with support for more clients.

    `operations` and `map` can be Blobs, which have a filename; a file can have only `filename*`. Starlette
    accepts truncated bodies, and decodes invalid UTF-8 as Latin-1; this rejects both.
    """

    take: Callable[[int], None]
    _ended = False

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is not None:
            self.take(end - start)
        super().on_part_data(data, start, end)

    def on_headers_finished(self) -> None:
        part = self._current_part
        for field, value in part.item_headers:
            encoding = value.strip().lower()
            if field == b"content-transfer-encoding" and encoding not in {b"binary", b"8bit", b"7bit"}:
                raise BadRequestError(
                    f"The Content-Transfer-Encoding {encoding[:100].decode('latin-1')} of a part is not "
                    "supported. Send its bytes as they are."
                )
        disposition = part.content_disposition or b""
        _, options = parse_options_header(disposition)
        if (name := options.get(b"name")) in {b"operations", b"map"}:
            part.content_disposition = b'form-data; name="' + name + b'"'
        elif b"filename" not in options and (extended := _EXTENDED_NAME.search(disposition)):
            part.content_disposition = disposition + b'; filename="' + _quoted_name(extended[1]) + b'"'
        super().on_headers_finished()

    def on_part_end(self) -> None:
        part = self._current_part
        if part.file is not None:
            super().on_part_end()
            return
        try:
            self.items.append((part.field_name, part.data.decode("utf-8-sig")))
        except UnicodeDecodeError:
            raise BadRequestError(f"The part '{part.field_name}' is not UTF-8.") from None

    def on_end(self) -> None:
        self._ended = True

    async def parse(self) -> FormData:
        form = await super().parse()
        if not self._ended:
            for file in self._files_to_close_on_error:
                file.close()
            raise BadRequestError("The body ends before the closing boundary of its multipart/form-data.")
        return form


def _quoted_name(value: bytes) -> bytes:
    """Decode `UTF-8''percent-encoded` to a quoted UTF-8 string."""
    match = _EXTENDED_VALUE.fullmatch(value.decode("latin-1").strip())
    if match is None:
        raise BadRequestError(_NAME_FORM)
    try:
        name = unquote_to_bytes(match[2]).decode(match[1])
    except UnicodeDecodeError:
        raise BadRequestError(_NAME_FORM) from None
    return name.replace("\\", "\\\\").replace('"', '\\"').encode()


def operations_with_file(form: FormData) -> dict[str, Any]:
    """Return `operations` with the file inserted according to `map`.

    Raises:
        BadRequestError: a part is missing or repeated, or `operations`, `map` and the file do not match.
    """
    for name, count in Counter(name for name, _ in form.multi_items()).items():
        if count > 1:
            raise BadRequestError(f"{count} parts are named '{name}'. Give each part a unique name.")
    operations = _json_field(form, "operations")
    if isinstance(operations, list):
        raise BadRequestError("Batching is not supported: 'operations' must be one operation, not a list.")
    if not isinstance(operations, dict):
        raise BadRequestError("'operations' must be a JSON object with a query and its variables.")
    places = _places(_json_field(form, "map"))
    for name, paths in places.items():
        file = _file(form, name)
        for path in paths:
            _put(operations, path, file)
    for name, part in form.multi_items():
        if isinstance(part, UploadFile) and name not in places:
            raise BadRequestError(f"'map' has no path for the file in part '{name}'.")
    return operations


def _json_field(form: FormData, name: str) -> Any:
    text = form.get(name)
    if not isinstance(text, str):
        raise BadRequestError(f"The multipart field '{name}' is missing.")
    return read_json(text, f"The multipart field '{name}'")


def _places(mapping: object) -> Mapping[str, list[str]]:
    if not isinstance(mapping, dict):
        raise BadRequestError(f"'map' must be a JSON object, {MAP_EXAMPLE}.")
    for name, paths in mapping.items():
        if not (isinstance(paths, list) and paths and all(isinstance(path, str) for path in paths)):
            raise BadRequestError(f"'map' must map '{name}' to a list of paths, {MAP_EXAMPLE}.")
    return mapping


def _file(form: FormData, name: str) -> UploadFile:
    part = form.get(name)
    if part is None:
        raise BadRequestError(f"'map' names the part '{name}', but the request has no such part.")
    if not isinstance(part, UploadFile):
        raise BadRequestError(f"The part '{name}' is not a file: its Content-Disposition needs a filename.")
    return part


def _put(operations: dict[str, Any], path: str, file: UploadFile) -> None:
    """Replace the null at a path, such as `variables.file` or `variables.files.0`, with the file."""
    *parents, last = path.split(".")
    if not parents or parents[0] != "variables":
        raise BadRequestError(f"The map's path '{path}' must start with 'variables.'.")
    target: Any = operations
    try:
        for key in parents:
            target = target[_key(target, key)]
        place = _key(target, last)
        is_null = target[place] is None
    except (KeyError, IndexError, TypeError, ValueError):
        is_null = False
    if not is_null:
        raise BadRequestError(f"'operations' must have a null at the map's path '{path}'.")
    target[place] = file


def _key(target: object, key: str) -> str | int:
    return int(key) if isinstance(target, list) else key
