"""A small GraphQL client over HTTP: operations and uploads, as any client would send them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO, Self

import httpx

from app.http.authentication import CLIENT_ID_HEADER, CLIENT_SECRET_HEADER

LOCAL_CLIENT = "test"
"""Id and secret of the client that the service knows on its embedded database."""

UPLOAD_TIMEOUT_SECONDS = 600.0


class NotReachedError(Exception):
    """The service cannot be reached, or does not let this client in."""


class RefusedError(Exception):
    """The service answered the operation with errors."""


class GraphQLClient:
    """Talks to one service with one client's credentials. A context manager."""

    def __init__(self, url: str, client_id: str, client_secret: str) -> None:
        self._url = url
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

        Raises:
            NotReachedError, RefusedError: as for `execute`.
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

    def _send(self, **request: Any) -> dict[str, Any]:
        try:
            response = self._http.post(self._url, **request)
        except httpx.HTTPError as error:
            raise NotReachedError(f"{self._url} cannot be reached: {error}") from error
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise NotReachedError(f"{self._url} answers {response.status_code}, and not in GraphQL")
        if errors := body.get("errors"):
            message = "; ".join(str(error.get("message")) for error in errors)
            kind = NotReachedError if response.status_code in {401, 403} else RefusedError
            raise kind(message)
        return dict(body["data"])
