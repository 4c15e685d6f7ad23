"""A small GraphQL client over HTTP: operations, uploads and subscriptions, as any client would send them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import httpx
import typer

from app.cli.failure import FAILED, INTERRUPTED, NOT_REACHED, fail
from app.cli.retrying import Attempts, TryAgainError, seconds_until
from app.cli.shown import plain
from app.clients.credentials import CLIENT_ID_HEADER, CLIENT_SECRET_HEADER

UPLOAD_TIMEOUT_SECONDS = 600.0

UNAVAILABLE = frozenset({429, 502, 503})
"""The status of a service, or of the proxy before it, that has too much to do, or will work again soon."""

_BROKEN = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout)


class NotReachedError(TryAgainError):
    """The service cannot be reached, or does not let this client in."""


class RefusedError(Exception):
    """The service answered the operation with errors; `code` is the first one's."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class NotStreamedError(Exception):
    """The service answered a subscription, but not with a stream of events."""


class GraphQLClient:
    """Talks to one service with one client's credentials. A context manager.

    A request that cannot get through (no or a broken connection, 429, 502, 503) is sent again up to `retries`
    times. That is safe with uploads too: songs stored twice are stored once.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        *,
        retries: int = 0,
        on_retry: Callable[[str, float], None] = lambda _message, _seconds: None,
    ) -> None:
        """Make a client.

        Args:
            url: the GraphQL endpoint.
            client_id: whose credentials.
            client_secret: the secret.
            retries: how often to send a request again.
            on_retry: is told why and in how many seconds, before each pause.
        """
        self._url = url
        self._attempts = Attempts(retries, on_retry)
        self._http = httpx.Client(
            headers={
                CLIENT_ID_HEADER: client_id,
                CLIENT_SECRET_HEADER: client_secret,
                "accept": "application/graphql-response+json, application/json",
            },
            timeout=httpx.Timeout(UPLOAD_TIMEOUT_SECONDS, connect=10.0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def execute(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run an operation and return its `data`.

        Raises:
            NotReachedError: no connection, or wrong credentials.
            RefusedError: the reply has errors.
        """
        return self._send(json={"query": query, "variables": variables or {}})

    def upload(
        self, query: str, variables: Mapping[str, Any], *, variable: str, file: BinaryIO, name: str
    ) -> dict[str, Any]:
        """Run an operation with a file in one of its variables and return its `data`.

        The file is read in small pieces while it is sent, and from its start again with each retry.

        Raises:
            NotReachedError, RefusedError: as for `execute`.
            OSError: the file cannot be read.
        """
        operations = {"query": query, "variables": {**variables, variable: None}}
        return self._send(
            headers={"graphql-preflight": "1"},
            data={
                "operations": json.dumps(operations),
                "map": json.dumps({"file": [f"variables.{variable}"]}),
            },
            files={"file": (name, file, "text/csv")},
        )

    def subscribe(self, query: str, variables: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Run a subscription by server-sent events and give the `data` of each event until it completes.

        Raises:
            NotReachedError: no connection, or one that broke; it is not taken up again.
            NotStreamedError: the service, or a proxy before it, does not answer with events.
            RefusedError: an event has errors.
        """
        body = {"query": query, "variables": variables}
        headers = {"accept": "text/event-stream"}
        try:
            with self._http.stream("POST", self._url, json=body, headers=headers) as response:
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    raise NotStreamedError
                for event, data in _events(response.iter_lines()):
                    if event == "complete":
                        return
                    if event == "next":
                        yield _data(json.loads(data))
        except (ValueError, KeyError, AttributeError) as error:  # events, but not of GraphQL
            raise NotStreamedError from error
        except httpx.HTTPError as error:
            raise _not_reached(self._url, error, retriable=False) from error

    def download(self, batch_id: str, extension: str, file: BinaryIO) -> None:
        """Write what a batch answered to a file, as it arrives.

        Args:
            batch_id: `Batch.id`, or the UUID in it.
            extension: csv, jsonl or parquet.
            file: open for writing.

        Raises:
            NotReachedError: no connection, wrong credentials, or a download that broke off.
            RefusedError: there is no such batch, or its results are not kept any more.
            OSError: the file cannot be written.
        """
        url = httpx.URL(self._url).join(f"batches/{quote(batch_id, safe='')}/songs.{extension}")
        self._attempts.of(lambda: self._download_once(url, file))

    def _download_once(self, url: httpx.URL, file: BinaryIO) -> None:
        arriving = False
        try:
            with self._http.stream("GET", url) as response:
                if response.status_code != httpx.codes.OK:
                    response.read()
                    self._answer(response)
                arriving = True
                file.writelines(response.iter_bytes())
        except httpx.HTTPError as error:
            # What is written already cannot be taken back from a pipe.
            raise _not_reached(url, error, retriable=not arriving) from error

    def _send(self, **request: Any) -> dict[str, Any]:
        return self._attempts.of(lambda: self._send_once(**request))

    def _send_once(self, **request: Any) -> dict[str, Any]:
        try:
            response = self._http.post(self._url, **request)
        except httpx.HTTPError as error:
            raise _not_reached(self._url, error) from error
        return self._answer(response)

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        status = response.status_code
        unavailable = status in UNAVAILABLE
        after = seconds_until(response.headers.get("retry-after", "")) if unavailable else None
        try:
            body = response.json()
        except ValueError:
            body = None
        if not _is_graphql(body):
            elsewhere = response.headers.get("location")
            raise NotReachedError(
                f"{response.url} answers {status}, and not in GraphQL"
                + (f"; it points to {elsewhere}" if elsewhere else ""),
                retriable=unavailable,
                after=after,
            )
        try:
            return _data(body)
        except RefusedError as error:
            if unavailable or status in {401, 403}:
                raise NotReachedError(str(error), retriable=unavailable, after=after) from error
            raise


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
        and all(isinstance(error, dict) for error in errors)
        and (bool(errors) or isinstance(body.get("data"), dict))
    )


def _data(body: Mapping[str, Any]) -> dict[str, Any]:
    if errors := body.get("errors"):
        code = (errors[0].get("extensions") or {}).get("code")
        raise RefusedError("; ".join(str(error.get("message")) for error in errors), code)
    return dict(body["data"])


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Give event and data of server-sent events; comments, which keep the connection alive, are left out."""
    event, data = "", ""
    for line in lines:
        field, _, value = line.partition(":")
        if not line:
            if event:
                yield event, data
            event, data = "", ""
        elif field == "event":
            event = value.strip()
        elif field == "data":
            data += value.strip()


@contextmanager
def connected(url: str, client_id: str, client_secret: str, retries: int) -> Iterator[GraphQLClient]:
    """Give a client of a service, and end the command with a line and a code if the service says no."""
    try:
        with GraphQLClient(url, client_id, client_secret, retries=retries, on_retry=_tell_retry) as client:
            yield client
    except NotReachedError as error:
        fail(str(error), NOT_REACHED)
    except RefusedError as error:
        fail(str(error), NOT_REACHED if error.code == "FORBIDDEN" else FAILED)
    except KeyboardInterrupt:
        fail("interrupted", INTERRUPTED)


def _tell_retry(message: str, seconds: float) -> None:
    typer.echo(f"genregraph: {plain(message).removesuffix('.')}; trying again in {seconds:.1f} s", err=True)
