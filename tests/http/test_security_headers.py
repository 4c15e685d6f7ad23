"""Security headers on every kind of response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.batches.service import Batches
from tests.conftest import StartService
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
ON_DATA = {
    **EVERYWHERE,
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


def missing(response: httpx.Response, expected: dict[str, str]) -> dict[str, str | None]:
    return {
        name: response.headers.get(name)
        for name, value in expected.items()
        if response.headers.get(name) != value
    }


def as_stranger(api: ApiClient, path: str, **options: Any) -> httpx.Response:
    """Return the response to a client without credentials."""
    return httpx.get(f"{api.url}{path}", **options)


ANSWERS: dict[str, tuple[int, Callable[[ApiClient], httpx.Response]]] = {
    "query": (200, lambda api: api.post("{ __typename }")),
    "query by GET": (200, lambda api: api.http.get("/graphql", params={"query": "{ __typename }"})),
    "refused query": (200, lambda api: api.post("{ nothing }")),
    "bad JSON": (
        400,
        lambda api: api.http.post("/graphql", content="{", headers={"content-type": "application/json"}),
    ),
    "method": (405, lambda api: api.http.put("/graphql")),
    "no credentials": (401, lambda api: httpx.post(f"{api.url}/graphql", json={})),
    "no such path": (404, lambda api: api.http.get("/nothing")),
    "no such batch": (404, lambda api: api.http.get("/batches/1/songs.csv")),
    "forged form": (403, lambda api: api.http.post("/graphql", files={"0": b""})),
    "too large": (413, lambda api: api.http.post("/graphql", content=b" " * 200_000)),
    "live": (200, lambda api: as_stranger(api, "/livez")),
    "health": (200, lambda api: as_stranger(api, "/healthcheck")),
    "configuration": (200, lambda api: as_stranger(api, "/assets/configuration.json")),
}


@pytest.mark.parametrize(("status", "call"), ANSWERS.values(), ids=ANSWERS)
def test_every_response_has_security_headers(
    start_service: StartService, status: int, call: Callable[[ApiClient], httpx.Response]
) -> None:
    response = call(start_service(max_upload_bytes=100_000))
    assert response.status_code == status
    assert missing(response, ON_DATA) == {}


def test_a_crash_response_has_security_headers(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a bug
    async def fail(*_: object) -> None:
        raise LookupError("a secret")

    monkeypatch.setattr(Batches, "by_ids", fail)
    # when
    response = api.http.get("/batches/67e55044-10b1-426f-9247-bb680e5fe0c8/songs.csv")
    # then
    assert response.status_code == 500
    assert missing(response, ON_DATA) == {}
    assert response.json() == {
        "errors": [
            {
                "message": "Internal server error. The server log has the details.",
                "extensions": {"code": "INTERNAL_SERVER_ERROR"},
            }
        ]
    }


def test_pages_streams_and_files_have_security_headers_with_their_own_policy(api: ApiClient) -> None:
    page = as_stranger(api, "/", headers={"accept": "text/html"})
    assert missing(page, EVERYWHERE) == {}
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-cache"
    batch = api.classify(song_csv(song_rows(3)))
    csv = api.http.get(f"/batches/{batch['id']}/songs.csv")
    assert missing(csv, ON_DATA) == {}
    stream = api.post("{ __typename }", headers={"accept": "text/event-stream"})
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert missing(stream, EVERYWHERE) == {}
    assert stream.headers["cache-control"] == "no-cache, no-transform"


def test_strict_transport_security_is_sent_in_production_only(start_service: StartService) -> None:
    local, production = start_service(), start_service(environment="production")
    assert "strict-transport-security" not in local.post("{ __typename }").headers
    for response in (production.post("{ __typename }"), as_stranger(production, "/")):
        assert response.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


def test_the_server_header_is_not_sent(api: ApiClient) -> None:
    assert "server" not in api.post("{ __typename }").headers
