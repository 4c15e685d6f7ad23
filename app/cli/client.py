"""A small GraphQL client over HTTP: operations, uploads and downloads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, NoReturn
from urllib.parse import quote

import httpx
import tenacity
import typer

from app.cli.output import FAILED, NOT_REACHED, plain
from app.clients.credentials import CLIENT_ID_HEADER, CLIENT_SECRET_HEADER
from ml.errors import UserError

UPLOAD_TIMEOUT_SECONDS = 600.0

FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 30.0
MAX_RETRY_AFTER_SECONDS = 300.0
"""Maximum pause for a Retry-After header."""

UNAVAILABLE = frozenset({429, 502, 503})
"""Status codes of a service or proxy that is overloaded or temporarily unavailable."""

_DENIED = frozenset({401, 403})
_NO_ENDPOINT = frozenset({404, 405})
"""Status codes of a server whose GraphQL endpoint has another path."""

_BROKEN = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout)


class NotReachedError(UserError):
    """The service is unreachable, or rejects this client's credentials.

    Attributes:
        retriable: another attempt may succeed.
        after: seconds to wait, if the service says so.
    """

    exit_code = NOT_REACHED

    def __init__(self, message: str, *, retriable: bool = False, after: float | None = None) -> None:
        super().__init__(message)
        self.retriable = retriable
        self.after = after


class RefusedError(UserError):
    """The service responded with errors; `code` is that of the first."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = NOT_REACHED if code == "FORBIDDEN" else FAILED


class GraphQLClient:
    """Talks to one service.

    Failed requests (no connection, a lost one, 429, 502, 503) are retried with exponential backoff and
    jitter, or when the service says. Uploads can be retried safely: songs are stored once.

    Its methods raise `NotReachedError` without a connection or for wrong credentials, and `RefusedError` if
    the reply has errors.
    """

    def __init__(self, http: httpx.Client, url: str, retries: int) -> None:
        """Make a client of the GraphQL endpoint at `url`, with an HTTP client that has the credentials."""
        self._http = http
        self._url = url
        self._attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(retries + 1),
            wait=_pause,
            retry=tenacity.retry_if_exception(lambda error: getattr(error, "retriable", False)),
            before_sleep=_report_retry,
            reraise=True,
        )

    def execute(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run an operation and return its `data`."""
        return self._attempts(self._send, json={"query": query, "variables": variables or {}})

    def upload(
        self, query: str, variables: Mapping[str, Any], *, file: BinaryIO, name: str
    ) -> dict[str, Any]:
        """Run an operation with a file in its variable `file` and return its `data`.

        The file is streamed, from the start with each retry.

        Raises:
            OSError: the file cannot be read.
        """
        operations = {"query": query, "variables": {**variables, "file": None}}
        return self._attempts(
            self._send,
            headers={"graphql-preflight": "1"},
            data={"operations": json.dumps(operations), "map": json.dumps({"file": ["variables.file"]})},
            files={"file": (name, file, "text/csv")},
        )

    def download(self, batch_id: str, extension: str, file: BinaryIO) -> None:
        """Stream the results of a batch to a file, in the format of an extension: csv, jsonl or parquet.

        Raises:
            OSError: the file cannot be written.
        """
        url = httpx.URL(self._url).join(f"batches/{quote(batch_id, safe='')}/songs.{extension}")
        self._attempts(self._download, url, file)

    def _download(self, url: httpx.URL, file: BinaryIO) -> None:
        arriving = False
        try:
            with self._http.stream("GET", url) as response:
                # Results are an attachment; a proxy's login page is not.
                if response.status_code != httpx.codes.OK or "content-disposition" not in response.headers:
                    response.read()
                    _answer(response, "results")
                arriving = True
                file.writelines(response.iter_bytes())
        except httpx.HTTPError as error:
            # What was written to a pipe cannot be taken back.
            raise _not_reached(url, error, retriable=not arriving) from error

    def _send(self, **request: Any) -> dict[str, Any]:
        try:
            response = self._http.post(self._url, **request)
        except httpx.HTTPError as error:
            raise _not_reached(self._url, error) from error
        try:
            return _answer(response, "GraphQL")
        except RefusedError as error:
            if response.status_code not in _NO_ENDPOINT:
                raise
            raise NotReachedError(f"{self._url}: {error}") from error


@contextmanager
def connected(url: str, client_id: str, client_secret: str, retries: int) -> Iterator[GraphQLClient]:
    """Give a client of a service."""
    headers = {
        CLIENT_ID_HEADER: client_id,
        CLIENT_SECRET_HEADER: client_secret,
        "accept": "application/graphql-response+json, application/json",
    }
    timeout = httpx.Timeout(UPLOAD_TIMEOUT_SECONDS, connect=10.0)
    with httpx.Client(headers=headers, timeout=timeout) as http:
        yield GraphQLClient(http, url, retries)


def seconds_until(retry_after: str) -> float | None:
    """Return the seconds of a Retry-After header; None if it is invalid."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


_backoff = tenacity.wait_exponential_jitter(
    multiplier=FIRST_PAUSE_SECONDS, max=MAX_PAUSE_SECONDS, jitter=FIRST_PAUSE_SECONDS
)


def _pause(state: tenacity.RetryCallState) -> float:
    retry_after = getattr(state.outcome and state.outcome.exception(), "after", None)
    return max(_backoff(state), min(retry_after or 0.0, MAX_RETRY_AFTER_SECONDS))


def _report_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome and state.outcome.exception()
    message = plain(str(error)).removesuffix(".")
    typer.echo(f"genregraph: {message}; trying again in {state.upcoming_sleep:.1f} s", err=True)


def _answer(response: httpx.Response, expected: str) -> dict[str, Any]:
    """Return the `data` of a GraphQL reply."""
    unavailable = response.status_code in UNAVAILABLE
    after = seconds_until(response.headers.get("retry-after", "")) if unavailable else None
    try:
        body = response.json()
    except ValueError:
        body = None
    if not _is_graphql(body):
        elsewhere = response.headers.get("location")
        raise NotReachedError(
            f"{response.url} responded with status {response.status_code} instead of {expected}"
            + (f"; it redirects to {elsewhere}" if elsewhere else ""),
            retriable=unavailable,
            after=after,
        )
    if errors := body.get("errors"):
        message = "; ".join(error["message"] for error in errors)
        if unavailable or response.status_code in _DENIED:
            raise NotReachedError(message, retriable=unavailable, after=after)
        raise RefusedError(message, (errors[0].get("extensions") or {}).get("code"))
    return _Data(body["data"])


def _not_reached(url: httpx.URL | str, error: httpx.HTTPError, *, retriable: bool = True) -> NotReachedError:
    return NotReachedError(
        f"{url} cannot be reached: {error}", retriable=retriable and isinstance(error, _BROKEN)
    )


def _is_graphql(body: object) -> bool:
    if not isinstance(body, dict):
        return False
    errors = body.get("errors", [])
    return (
        isinstance(errors, list)
        and all(isinstance(error, dict) and isinstance(error.get("message"), str) for error in errors)
        and (bool(errors) or isinstance(body.get("data"), dict))
    )


class _Data(dict[str, Any]):
    def __missing__(self, field: str) -> NoReturn:
        raise RefusedError(f"The response has no field {field}. Check that the URL belongs to genregraph.")
