"""A client of the API for tests, over real HTTP."""

from __future__ import annotations

import json
from typing import Any, Self

import httpx

CLASSIFY_BATCH = """
mutation ($file: Upload!, $options: ClassifyBatchOptions) {
  classifyBatch(file: $file, options: $options) {
    __typename
    ... on Batch {
      id fileName status error rowsUploaded rowsWithMissingValues rowsInvalid rowsDuplicated rowsClassified
      rowsClassifiedWithMissingValues
      problemCount problems { kind line column value message }
      genres { genre { name songCount } songCount }
    }
    ... on Error { message code }
    ... on InvalidSongFile { problemCount problems { kind line column value message } }
    ... on SongFileTooLarge { maxRows }
  }
}
"""


Parts = list[tuple[str, tuple[str | None, bytes | str]]]


def upload_parts(query: str, file: bytes, name: str = "songs.csv", **variables: Any) -> Parts:
    """Return the parts of a multipart request that has the file in the variable `file`."""
    return [
        ("operations", (None, json.dumps({"query": query, "variables": {"file": None, **variables}}))),
        ("map", (None, json.dumps({"0": ["variables.file"]}))),
        ("0", (name, file)),
    ]


class ApiClient:
    """Calls one running service as one client."""

    def __init__(self, url: str, client_id: str = "test", secret: str = "test") -> None:
        self.url = url
        self.http = httpx.Client(
            base_url=url, headers={"client-id": client_id, "client-secret": secret}, timeout=60
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post(self, query: str, variables: dict[str, Any] | None = None, **request: Any) -> httpx.Response:
        # Not httpx's json=, which cannot send lone surrogates.
        content = json.dumps({"query": query, "variables": variables or {}})
        headers = {"content-type": "application/json", **request.pop("headers", {})}
        return self.http.post("/graphql", content=content, headers=headers, **request)

    def execute(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return `data` of an operation that must succeed."""
        body = self.post(query, variables).json()
        assert "errors" not in body, body["errors"]
        return dict(body["data"])

    def errors(self, query: str, **variables: Any) -> list[dict[str, Any]]:
        """Return the errors of an operation that must fail."""
        return list(self.post(query, variables).json()["errors"])

    def multipart(self, parts: Parts, **headers: str) -> httpx.Response:
        """Send a multipart request of these parts."""
        return self.http.post("/graphql", files=parts, headers={"graphql-preflight": "1", **headers})

    def upload(self, file: bytes, name: str = "songs.csv", **options: Any) -> httpx.Response:
        return self.multipart(upload_parts(CLASSIFY_BATCH, file, name, options=options or None))

    def classify(self, file: bytes, name: str = "songs.csv", **options: Any) -> dict[str, Any]:
        """Return the result of classifyBatch, a batch or an expected error."""
        response = self.upload(file, name, **options)
        body = response.json()
        assert "errors" not in body, body["errors"]
        return dict(body["data"]["classifyBatch"])
