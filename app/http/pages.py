"""What people see in a browser: the page at `/`, the playground at `/graphql`, and what both load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from starlette.datastructures import Headers
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.content_security_policy import PAGE_POLICY, PLAYGROUND_POLICY

SOURCES = Path(__file__).resolve().parent.parent / "playground"

PAGE_PATH = "/"
PLAYGROUND_PATH = "/graphql"
CONFIGURATION_PATH = "/assets/configuration.json"
SAMPLE_PATH = "/assets/songs.csv"

REVALIDATE = "no-cache"
FOR_EVER = "public, max-age=31536000, immutable"
"""For files that Vite names after their content."""


@dataclass(frozen=True)
class PageFile:
    """A file that browsers get, and how."""

    path: Path
    cache_control: str = REVALIDATE
    policy: str = PAGE_POLICY

    def response(self) -> Response:
        """Return it with its headers."""
        headers = {"content-security-policy": self.policy, "cache-control": self.cache_control}
        return FileResponse(self.path, headers=headers)


@dataclass(frozen=True)
class PageFiles:
    """The files of the pages by path: those that Vite built, or else a plain form of our own."""

    files: Mapping[str, PageFile]

    @classmethod
    def find(cls, sources: Path = SOURCES) -> Self:
        """Look which files there are; only these are ever served."""
        built = sources / "dist"
        if (built / "index.html").is_file():
            assets = {
                f"/{path.relative_to(built).as_posix()}": PageFile(path, FOR_EVER)
                for path in (built / "assets").rglob("*")
                if path.is_file()
            }
            return cls(
                {
                    **assets,
                    "/icon.svg": PageFile(built / "icon.svg"),
                    PAGE_PATH: PageFile(built / "index.html"),
                    PLAYGROUND_PATH: PageFile(built / "playground.html", policy=PLAYGROUND_POLICY),
                }
            )
        plain = sources / "plain"
        form = PageFile(plain / "index.html")
        return cls(
            {
                **{f"/assets/{name}": PageFile(plain / name) for name in ("plain.js", "plain.css")},
                "/icon.svg": PageFile(sources / "public" / "icon.svg"),
                PAGE_PATH: form,
                PLAYGROUND_PATH: form,
            }
        )


class Pages:
    """ASGI middleware: answers browsers that ask for a page, and lets everything else through.

    It stands before authentication: the pages are open to all and hold no data; what they show they
    ask of the API, with the credentials that the user types.
    """

    def __init__(
        self, app: ASGIApp, *, files: PageFiles, configuration: Mapping[str, Any], sample: Path
    ) -> None:
        """Make the middleware.

        Args:
            app: what stands behind.
            files: the files of the pages.
            configuration: what the pages must know of this server, as JSON; it is open to all.
            sample: a song file to try the service with.
        """
        self._app = app
        self._files = {**files.files, SAMPLE_PATH: PageFile(sample)}
        self._configuration = dict(configuration)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a page, or pass the request on."""
        response = self._response(scope) if scope["type"] == "http" else None
        await (response or self._app)(scope, receive, send)

    def _response(self, scope: Scope) -> Response | None:
        if scope["method"] not in {"GET", "HEAD"}:
            return None
        path = scope["path"]
        if path == CONFIGURATION_PATH:
            return JSONResponse(self._configuration)
        if path == PLAYGROUND_PATH and not _wants_html(Headers(scope=scope)):
            return None
        file = self._files.get(path)
        if file is None:
            return None
        response = file.response()
        if path == PLAYGROUND_PATH:
            response.headers["vary"] = "accept"
        return response


def _wants_html(headers: Headers) -> bool:
    """Tell whether a browser asks to show something; programs name JSON or nothing."""
    return "text/html" in headers.get("accept", "").lower()
