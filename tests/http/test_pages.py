"""Pages for browsers, and the API for all other clients."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import httpx
import pytest

from app.http.pages import SOURCES, page_files
from tests.conftest import StartService
from tests.support.client import ApiClient

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def policy(response: httpx.Response) -> dict[str, str]:
    directives = response.headers["content-security-policy"].split("; ")
    return dict(directive.split(" ", 1) for directive in directives)


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages as Vite builds them, so that these tests need no npm."""
    dist = tmp_path / "playground" / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<title>page</title>")
    (dist / "playground.html").write_text("<title>playground</title>")
    (dist / "icon.svg").write_text("<svg/>")
    (dist / "licenses.md").write_text("MIT")
    (dist / "assets" / "index-abc.js").write_text("1")
    (dist / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(b"1"))
    files = page_files(dist.parent)
    monkeypatch.setattr("app.http.pages.page_files", lambda: files)


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without built pages."""
    (tmp_path / "plain").symlink_to(SOURCES / "plain")
    (tmp_path / "public").symlink_to(SOURCES / "public")
    files = page_files(tmp_path)
    monkeypatch.setattr("app.http.pages.page_files", lambda: files)


@pytest.fixture
def stranger(api: ApiClient) -> httpx.Client:
    """A client without credentials."""
    for header in ("client-id", "client-secret"):
        del api.http.headers[header]
    return api.http


@pytest.mark.parametrize(("path", "title"), [("/", "page"), ("/graphql", "playground")])
@pytest.mark.usefixtures("built")
def test_pages_need_no_credentials(stranger: httpx.Client, path: str, title: str) -> None:
    response = stranger.get(path, headers=BROWSER)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.text == f"<title>{title}</title>"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "no-referrer"
    head = stranger.head(path, headers=BROWSER)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/graphql-response+json"])
@pytest.mark.usefixtures("built")
def test_programs_get_the_api_at_the_playgrounds_path(stranger: httpx.Client, accept: str) -> None:
    response = stranger.get("/graphql", params={"query": "{ __typename }"}, headers={"accept": accept})
    assert response.status_code == 401
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.usefixtures("built")
def test_caches_distinguish_the_playground_from_the_api(stranger: httpx.Client) -> None:
    assert stranger.get("/graphql", headers=BROWSER).headers["vary"] == "accept"


@pytest.mark.usefixtures("built")
def test_a_browsers_post_goes_to_the_api(stranger: httpx.Client) -> None:
    response = stranger.post("/graphql", json={"query": "{ __typename }"}, headers=BROWSER)
    assert response.status_code == 401


@pytest.mark.usefixtures("built")
def test_pages_have_no_inline_scripts_and_no_external_resources(stranger: httpx.Client) -> None:
    page = policy(stranger.get("/", headers=BROWSER))
    assert page == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    # Monaco writes its themes into <style> elements.
    playground = policy(stranger.get("/graphql", headers=BROWSER))
    assert playground == {
        **page,
        "style-src": "'self' 'unsafe-inline'",
        "worker-src": "'self'",
    }


@pytest.mark.usefixtures("built")
def test_assets_are_immutable_and_no_other_files_are_served(stranger: httpx.Client) -> None:
    asset = stranger.get("/assets/index-abc.js")
    assert asset.status_code == 200
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert asset.headers["content-type"].startswith("text/javascript")
    assert asset.headers["content-security-policy"]
    for path in (
        "/assets/index-abc.js.gz",
        "/assets/../licenses.md",
        "/assets/%2e%2e/licenses.md",
        "/licenses.md",
        "/assets/",
        "/dist",
    ):
        assert stranger.get(path, headers=BROWSER).status_code == 401, path


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, br", "gzip"),
        ("br;q=1.0, GZIP ; q=0.5", "gzip"),
        ("br", None),
        ("", None),
        ("gzip;q=0, br", None),
        ("br, gzip; q=0.000", None),
        ("x-gzipped", None),
    ],
)
@pytest.mark.usefixtures("built")
def test_assets_are_compressed_if_the_browser_accepts_it(
    stranger: httpx.Client, accepted: str, encoding: str | None
) -> None:
    asset = stranger.get("/assets/index-abc.js", headers={"accept-encoding": accepted})
    assert asset.headers.get("content-encoding") == encoding
    assert asset.headers["content-type"].startswith("text/javascript")
    assert asset.headers["vary"] == "accept-encoding"
    assert asset.text == "1"


def test_the_configuration_of_the_pages_contains_no_secret(
    start_service: StartService,
) -> None:
    def configuration(**settings: object) -> object:
        return start_service(max_upload_bytes=2048, **settings).http.get("/assets/configuration.json").json()

    assert configuration() == {
        "version": "0.1.0",
        "knownClient": None,
        "introspection": True,
        "maxUploadBytes": 2048,
    }
    assert configuration(known_client="test", introspection=False) == {
        "version": "0.1.0",
        "knownClient": "test",
        "introspection": False,
        "maxUploadBytes": 2048,
    }


def test_the_pages_offer_the_sample_songs(api: ApiClient) -> None:
    sample = api.http.get("/assets/songs.csv")
    assert sample.headers["content-type"].startswith("text/csv")
    assert api.classify(sample.content)["rowsUploaded"] == 428


@pytest.mark.usefixtures("plain")
def test_a_plain_form_is_served_if_the_pages_are_not_built(stranger: httpx.Client) -> None:
    for path in ("/", "/graphql"):
        page = stranger.get(path, headers=BROWSER)
        assert page.status_code == 200
        assert "make frontend" in page.text
        # everything it loads exists, and nothing comes from another host
        links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert sorted(links) == ["assets/plain.css", "assets/plain.js", "assets/songs.csv", "icon.svg"]
        for link in links:
            assert stranger.get(f"/{link}").status_code == 200, link


def test_the_pages_can_be_turned_off(start_service: StartService) -> None:
    api = start_service(playground=False)
    assert api.http.get("/", headers=BROWSER).status_code == 404
    assert api.http.get("/assets/configuration.json").status_code == 404
    # a browser at /graphql gets the API
    query = api.http.get("/graphql", params={"query": "{ __typename }"}, headers=BROWSER)
    assert query.json() == {"data": {"__typename": "Query"}}
