"""The GraphQL multipart request specification: `operations`, `map`, and a file that the map puts in place.

https://github.com/jaydenseric/graphql-multipart-request-spec
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

MAX_FIELD_BYTES = 64 * 1024
"""The most bytes of a part that is not a file: `operations` and `map`."""

MAP_EXAMPLE = 'such as {"0": ["variables.file"]}'

_REASONS = {
    "Too many files": "A request can hold one file; send each file in a request of its own.",
    "Part exceeded": f"A part without a filename is larger than {MAX_FIELD_BYTES:,} bytes; "
    "if it is the file, give the part a filename.",
    "Too many fields": "A multipart request holds the fields 'operations' and 'map' and one file; "
    "this one has more parts. If one of them is the file, give it a filename.",
    "The Content-Disposition": "Each part needs a name in its Content-Disposition header.",
    "The body ends": "The body ends before the closing boundary of its multipart/form-data.",
    "Missing boundary": "The content type multipart/form-data needs a boundary.",
}
"""By how Starlette begins to say it: what is wrong and what to do."""


class MultipartError(Exception):
    """A multipart request breaks the specification; the message says how."""


async def read_form(request: Request) -> FormData:
    """Read the parts of a multipart request; its file goes to disk as it comes.

    Raises:
        MultipartError: it is no multipart body, or has more parts or larger fields than one may have.
    """
    parser = _Parser(
        request.headers, request.stream(), max_files=1, max_fields=4, max_part_size=MAX_FIELD_BYTES
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        for beginning, reason in _REASONS.items():
            if error.message.startswith(beginning):
                raise MultipartError(reason) from error
        raise MultipartError("The body is not valid multipart/form-data.") from error
    request._form = form  # noqa: SLF001 - what Request.close() closes
    return form


class _Parser(MultiPartParser):
    """Starlette's parser, which takes a body that breaks off for one that has ended."""

    _ended = False

    def on_end(self) -> None:
        self._ended = True

    async def parse(self) -> FormData:
        form = await super().parse()
        if not self._ended:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("The body ends")
        return form


def operations_with_file(form: FormData) -> dict[str, Any]:
    """Return `operations` with the file where `map` says.

    Raises:
        MultipartError: a part is missing or double, or `operations`, `map` and the file do not fit.
    """
    for name, count in Counter(name for name, _ in form.multi_items()).items():
        if count > 1:
            raise MultipartError(f"{count} parts are named '{name}'; each part needs a name of its own.")
    operations = _json_field(form, "operations")
    if isinstance(operations, list):
        raise MultipartError("Batching is not supported: 'operations' must be one operation, not a list.")
    if not isinstance(operations, dict):
        raise MultipartError("'operations' must be a JSON object with a query and its variables.")
    places = _places(_json_field(form, "map"))
    for name, paths in places.items():
        file = _file(form, name)
        for path in paths:
            _put(operations, path, file)
    for name, part in form.multi_items():
        if isinstance(part, UploadFile) and name not in places:
            raise MultipartError(f"'map' does not say where the file of the part '{name}' belongs.")
    return operations


def _json_field(form: FormData, name: str) -> Any:
    text = form.get(name)
    if text is None:
        raise MultipartError(f"The multipart field '{name}' is missing.")
    if isinstance(text, UploadFile):
        raise MultipartError(f"The part '{name}' must be a plain field without a filename.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MultipartError(f"The multipart field '{name}' is not JSON: {error}.") from error


def _places(mapping: object) -> Mapping[str, list[str]]:
    if not isinstance(mapping, dict):
        raise MultipartError(f"'map' must be a JSON object, {MAP_EXAMPLE}.")
    for name, paths in mapping.items():
        if not (isinstance(paths, list) and paths and all(isinstance(path, str) for path in paths)):
            raise MultipartError(f"'map' must give '{name}' a list of paths, {MAP_EXAMPLE}.")
    return mapping


def _file(form: FormData, name: str) -> UploadFile:
    part = form.get(name)
    if part is None:
        raise MultipartError(f"'map' names the part '{name}', but the request has no such part.")
    if not isinstance(part, UploadFile):
        raise MultipartError(f"The part '{name}' is not a file: its Content-Disposition needs a filename.")
    return part


def _put(operations: dict[str, Any], path: str, file: UploadFile) -> None:
    """Replace the null at a path, such as `variables.file` or `variables.files.0`, by the file."""
    *parents, last = path.split(".")
    if not parents or parents[0] != "variables":
        raise MultipartError(f"The map's path '{path}' must begin with 'variables.'.")
    target: Any = operations
    try:
        for key in parents:
            target = target[_key(target, key)]
        place = _key(target, last)
        is_null = target[place] is None
    except (KeyError, IndexError, TypeError, ValueError):
        is_null = False
    if not is_null:
        raise MultipartError(f"'operations' has no null at the map's path '{path}' to put the file in.")
    target[place] = file


def _key(target: object, key: str) -> str | int:
    return int(key) if isinstance(target, list) else key
