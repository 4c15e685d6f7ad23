"""What `genregraph serve` says of itself once it can be reached."""

from __future__ import annotations

import structlog
import typer

from app import __version__
from app.clients.credentials import parse_clients
from app.settings import LogFormat, Settings

MAX_CLIENTS = 5
"""Client ids that are listed."""

log = structlog.get_logger(__name__)


def say_where(settings: Settings, known: str | None, host: str, port: int) -> None:
    """Print a banner to standard output; where logs are JSON, log one line in its place.

    Args:
        settings: of the service.
        known: the client that everybody knows, whose secret is no secret.
        host: the address that the service listens on.
        port: its port.
    """
    url = browser_url(host, port)
    api, pages = f"{url}graphql", settings.playground
    if settings.effective_log_format is LogFormat.JSON:
        log.info("serving", url=api, page=url if pages else None)
        return
    lines = {
        "API": api,
        "page": url if pages else "off",
        "playground": f"{api}, in a browser" if pages else "off",
        "client": f"{known}, with the secret {known}" if known else _clients(settings),
        "stop": "Ctrl-C",
    }
    typer.echo(f"genregraph {__version__}")
    for name, text in lines.items():
        typer.echo(f"  {name:12}{text}")


def browser_url(host: str, port: int) -> str:
    """Return where a browser on this machine finds a server that listens on `host` and `port`."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is read, not bound
    return f"http://[{here}]:{port}/" if ":" in here else f"http://{here}:{port}/"


def _clients(settings: Settings) -> str:
    """Return who may call, without any secret."""
    places = []
    if settings.clients is not None:
        credentials = parse_clients(settings.clients.get_secret_value().split(","))
        ids = list(dict.fromkeys(known.client_id for known in credentials))
        more = f" and {len(ids) - MAX_CLIENTS} more" if len(ids) > MAX_CLIENTS else ""
        places.append(", ".join(ids[:MAX_CLIENTS]) + more)
    if settings.clients_file is not None:
        places.append(f"those in {settings.clients_file}")
    return "; ".join([*places, "those that `genregraph clients add NAME` added"])
