"""Serve the browser pages: the page at `/`, the playground at `/graphql`, and their assets."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app import __version__, resource
from app.settings import Settings

SOURCES = Path(__file__).resolve().parent.parent / "playground"

PAGE_PATH = "/"
PLAYGROUND_PATH = "/graphql"
CONFIGURATION_PATH = "/assets/configuration.json"
SAMPLE_PATH = "/assets/songs.csv"

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For the main page, the plain form and all assets."""

PLAYGROUND_POLICY: Final = (
    PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'") + "; worker-src 'self'"
)
"""For the playground: Monaco adds <style> elements without a nonce; its workers are our files."""

REVALIDATE = "no-cache"
COMPRESSED = ".gz"
"""Suffix of the compressed copies that Vite creates."""

IMMUTABLE = "public, max-age=31536000, immutable"
"""For files with a content hash in their name."""


@dataclass(frozen=True)
class PageFile:
    """A file with its response headers."""

    path: Path
    cache_control: str = REVALIDATE
    policy: str = PAGE_POLICY

    def response(self, accept_encoding: str) -> Response:
        """Return the file, compressed if there is a copy that the browser accepts."""
        headers = {"content-security-policy": self.policy, "cache-control": self.cache_control}
        compressed = self.path.with_name(f"{self.path.name}{COMPRESSED}")
        if not compressed.is_file():
            return FileResponse(self.path, headers=headers)
        headers["vary"] = "accept-encoding"
        if not _accepts_gzip(accept_encoding):
            return FileResponse(self.path, headers=headers)
        headers["content-encoding"] = "gzip"
        media_type, _ = mimetypes.guess_type(self.path.name)
        return FileResponse(compressed, headers=headers, media_type=media_type)


def _accepts_gzip(accept_encoding: str) -> bool:
    for coding in accept_encoding.lower().replace(" ", "").split(","):
        name, _, quality = coding.partition(";q=")
        if name == "gzip":
            return re.fullmatch(r"0(\.0*)?", quality) is None
    return False


def page_files(sources: Path = SOURCES) -> dict[str, PageFile]:
    """Return the pages' files by path: Vite's build if there is one, otherwise a plain form.

    No other files are ever served.
    """
    built = sources / "dist"
    if (built / "index.html").is_file():
        assets = {
            f"/{path.relative_to(built).as_posix()}": PageFile(path, IMMUTABLE)
            for path in (built / "assets").rglob("*")
            if path.is_file() and path.suffix != COMPRESSED
        }
        return {
            **assets,
            "/icon.svg": PageFile(built / "icon.svg"),
            PAGE_PATH: PageFile(built / "index.html"),
            PLAYGROUND_PATH: PageFile(built / "playground.html", policy=PLAYGROUND_POLICY),
        }
    plain = sources / "plain"
    form = PageFile(plain / "index.html")
    return {
        **{f"/assets/{name}": PageFile(plain / name) for name in ("plain.js", "plain.css")},
        "/icon.svg": PageFile(sources / "public" / "icon.svg"),
        PAGE_PATH: form,
        PLAYGROUND_PATH: form,
    }


class Pages:
    """ASGI middleware: serves pages to browsers, and passes on all other requests.

    It runs before authentication: the pages are public and contain no data; they query the API with the
    credentials that the user enters.
    """

    def __init__(self, app: ASGIApp, settings: Settings, known_client: str | None) -> None:
        """Initialize the middleware; the pages fill in `known_client`."""
        self._app = app
        sample = PageFile(resource("data") / "sample" / "songs.csv")
        self._files = {**page_files(), SAMPLE_PATH: sample}
        self._configuration = {
            "version": __version__,
            "knownClient": known_client,
            "introspection": settings.introspection_allowed,
            "maxUploadBytes": settings.max_upload_bytes,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a page, or pass the request on."""
        response = self._response(scope) if scope["type"] == "http" else None
        await (response or self._app)(scope, receive, send)

    def _response(self, scope: Scope) -> Response | None:
        if scope["method"] not in {"GET", "HEAD"}:
            return None
        path, headers = scope["path"], Headers(scope=scope)
        if path == CONFIGURATION_PATH:
            return JSONResponse(self._configuration)
        # Browsers want a page; programs accept JSON or anything.
        if path == PLAYGROUND_PATH and "text/html" not in headers.get("accept", "").lower():
            return None
        file = self._files.get(path)
        if file is None:
            return None
        response = file.response(headers.get("accept-encoding", ""))
        if path == PLAYGROUND_PATH:
            response.headers.add_vary_header("accept")
        return response
