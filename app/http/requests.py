"""Validate requests to the GraphQL endpoint, and choose how to stream their responses."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from strawberry.http.parse_content_type import parse_content_type
from strawberry.http.streaming import HTTPStreamTransport, MultipartSubscriptionTransport, SSETransport

from app.catalogue.errors import FORBIDDEN_MESSAGE
from app.clients.roles import Role
from app.errors import Code
from app.http.responses import JSON, BadRequestError, RefusedRequestError

METHODS: Final = ("GET", "HEAD", "POST", "OPTIONS")
ALLOW: Final = ", ".join(METHODS)

MULTIPART: Final = "multipart/form-data"

PREFLIGHT_HEADERS: Final = (
    "graphql-preflight",
    "graphql-require-preflight",
    "apollo-require-preflight",
    "x-apollo-operation-name",
)
"""Browsers send these across origins only after a preflight request, so a multipart request with one of
them cannot be a forged form."""

MAX_QUERY_LENGTH: Final = 64 * 1024
"""In characters; the token limit ignores whitespace and comments, but the cache stores the whole text."""

_TYPES: Final = "Send application/json, or multipart/form-data with a file."
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_MAX_SHOWN: Final = 100


def media_type(request: Request) -> str:
    """Return the media type of a request's body, in lower case and without parameters."""
    return _without_parameters(request.headers.get("content-type", "").lower())


def _without_parameters(media_type: str) -> str:
    return media_type.partition(";")[0].strip()


def check_head(request: Request) -> None:
    """Validate the method and the headers of a request's body.

    Raises:
        RefusedRequestError: the method or the type of body is not supported.
    """
    if request.method not in METHODS:
        message = f"{_shown(request.method)} is not allowed here. Use GET, HEAD, POST or OPTIONS."
        raise RefusedRequestError(Code.METHOD_NOT_ALLOWED, message, {"allow": ALLOW})
    ordinary = request.headers.get("content-type") == JSON and "content-encoding" not in request.headers
    if request.method != "POST" or ordinary:
        return
    for encoding in request.headers.get("content-encoding", "").lower().split(","):
        name = encoding.strip()
        if name not in {"", "identity"}:
            message = f"The content encoding {_shown(name)} is not supported. Send the body uncompressed."
            raise _unsupported(message, {"accept-encoding": "identity"})
    type_ = media_type(request)
    if not type_:
        raise _unsupported(f"The request has no content type. {_TYPES}")
    if type_ not in {JSON, MULTIPART}:
        raise _unsupported(f"The content type {_shown(type_)} is not supported. {_TYPES}")
    charset = parse_content_type(request.headers["content-type"].lower())[1].get("charset") or "utf-8"
    if type_ == JSON and charset not in _CHARSETS:
        raise _unsupported(f"The charset {_shown(charset)} is not supported. Send JSON in UTF-8.")


def _unsupported(message: str, headers: Mapping[str, str] | None = None) -> RefusedRequestError:
    return RefusedRequestError(Code.UNSUPPORTED_MEDIA_TYPE, message, headers)


def check_upload(request: Request) -> None:
    """Check a multipart request before its file is read.

    Raises:
        RefusedRequestError: it may be a forged form, or its client may not upload.
    """
    if not any(request.headers.get(name) for name in PREFLIGHT_HEADERS):
        raise RefusedRequestError(Code.PREFLIGHT_REQUIRED)
    if not request.state.role.includes(Role.WRITER):
        raise RefusedRequestError(Code.FORBIDDEN, FORBIDDEN_MESSAGE)


def read_json(data: str | bytes, what: str) -> Any:
    """Read a JSON document.

    Args:
        data: the document; a leading byte order mark is skipped.
        what: its name in messages.

    Raises:
        BadRequestError: it is not valid UTF-8 or JSON, or is nested too deeply.
    """
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data.removeprefix("\ufeff")
        return _DECODER.decode(text)
    except UnicodeDecodeError:
        raise BadRequestError(f"{what} is not UTF-8.") from None
    except RecursionError:
        raise BadRequestError(f"{what} is nested too deeply.") from None
    except ValueError as error:
        reason = str(error).partition("; use sys.")[0]  # Python's advice for numbers of over 4,300 digits
        raise BadRequestError(f"{what} is not JSON: {reason}.") from None


def read_body(data: bytes) -> dict[str, Any]:
    """Read the body of a request.

    Raises:
        BadRequestError: it is not a JSON object.
    """
    if not data:
        raise BadRequestError("The request body is empty. Send a JSON object with a query.")
    parsed = read_json(data, "The request body")
    if isinstance(parsed, list):
        raise BadRequestError("Batching is not supported. Send each operation in its own request.")
    if not isinstance(parsed, dict):
        raise BadRequestError("The request body must be a JSON object.")
    return parsed


def read_url(query_string: bytes) -> dict[str, Any]:
    """Read the parameters of a GET request; empty ones are ignored.

    Raises:
        BadRequestError: a parameter is malformed or repeated.
    """
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise BadRequestError("The URL's parameters are not UTF-8.") from None
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise BadRequestError(f"The URL has {count} parameters named `{_shown(name)}`; send one.")
    parameters: dict[str, Any] = {name: value for name, value in pairs if value.strip()}
    for name in parameters.keys() & {"variables", "extensions"}:
        parameters[name] = read_json(parameters[name], f"The URL's `{name}`")
    return parameters


def check_query(request: Mapping[str, Any]) -> None:
    """Check that there is a query, its length, and the types of all members.

    Raises:
        RefusedRequestError: the query is missing, persisted or too long, or a member has a wrong type.
    """
    query = request.get("query")
    if query is None or query == "":
        extensions = request.get("extensions")
        if request.get("documentId") or (isinstance(extensions, dict) and "persistedQuery" in extensions):
            raise RefusedRequestError(Code.PERSISTED_QUERY_NOT_SUPPORTED)
        raise BadRequestError("The request has no query.")
    if not isinstance(query, str):
        raise BadRequestError("`query` must be a string.")
    if len(query) > MAX_QUERY_LENGTH:
        raise BadRequestError(
            f"The query is longer than {MAX_QUERY_LENGTH:,} characters. Pass long values as variables."
        )
    if not isinstance(request.get("operationName"), str | None):
        raise BadRequestError("`operationName` must be a string or null.")
    for name in ("variables", "extensions"):
        if not isinstance(request.get(name), dict | None):
            raise BadRequestError(f"`{name}` must be a JSON object or null.")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def _shown(value: str) -> str:
    return value if len(value) <= _MAX_SHOWN else f"{value[:_MAX_SHOWN]}…"


class EventStream(SSETransport):
    """Strawberry's server-sent events, with LF line endings.

    urql only recognizes LF as the end of a line.
    """

    def accepts(self, accept: str) -> bool:
        """Return whether an `Accept` header lists event streams before JSON."""
        return any(_without_parameters(part) == "text/event-stream" for part in _before_json(accept))

    def encode_event(self, event: str, data: str | None = None) -> str:
        """Encode one event."""
        return super().encode_event(event, data).replace("\r\n", "\n")

    def encode_comment(self, comment: str) -> str:
        """Encode a keep-alive comment."""
        return super().encode_comment(comment).replace("\r\n", "\n")


class MultipartStream(MultipartSubscriptionTransport):
    """Strawberry's multipart subscriptions."""

    def accepts(self, accept: str) -> bool:
        """Return whether an `Accept` header lists multipart subscriptions before JSON."""
        return any(
            _without_parameters(part) == "multipart/mixed"
            and self.accepts_content_type(*parse_content_type(part))
            for part in _before_json(accept)
        )


_TRANSPORTS: Final = (EventStream(), MultipartStream())


def stream_for(accept: str) -> HTTPStreamTransport | None:
    """Return the transport that an `Accept` header requests; None for an ordinary response."""
    lowered = accept.lower()
    if "event-stream" not in lowered and "multipart" not in lowered:
        return None  # the usual case
    return next((transport for transport in _TRANSPORTS if transport.accepts(accept)), None)


def _before_json(accept: str) -> Iterator[str]:
    """Yield the media types of an `Accept` header, with parameters, up to the first JSON type.

    urql lists event streams last for every operation, but wants JSON for simple queries.
    """
    for part in accept.lower().split(","):
        if _without_parameters(part).endswith("json"):
            return
        yield part.strip()
