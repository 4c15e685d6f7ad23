"""The table of limits in docs/security.md matches the code."""

from __future__ import annotations

import importlib
import pkgutil
import re
from datetime import timedelta
from pathlib import Path

import app.batches
import app.catalogue
import app.clients
import app.http
import graphql_schema
import ml
from app.settings import PREFIX, Settings

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"

UNITS = {"": 1, "s": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

LIMIT_NAME = re.compile(r"_?(MAX|MIN)_[A-Z_]+|[A-Z_]+_(SECONDS|TIMEOUT)")
SETTING_NAME = re.compile(r"max_.+|.*_per_.+|.*timeout.*")

NOT_OF_CLIENTS = {
    # Not limits of clients: use of memory, and timeouts of workers and other programs.
    "app.http.gate.MIN_COMPRESSED_BYTES",
    "app.http.servers.START_TIMEOUT_SECONDS",
    "app.http.monitoring.DATABASE_TIMEOUT_SECONDS",
    "app.http.monitoring.KEPT_SECONDS",
    "app.batches.service.CANCEL_TIMEOUT_SECONDS",
    "app.batches.following.OUTAGE_SECONDS",
    "app.batches.following.POLL_SECONDS",
    "app.batches.following.QUEUED_POLL_SECONDS",
    "app.batches.claims.BUSY_SECONDS",
    "app.batches.claims.MAX_ATTEMPTS",
    "app.catalogue.service.RETRY_SECONDS",
    "app.clients.directory.NOTE_USE_SECONDS",
    "app.clients.authentication.WINDOW_SECONDS",
    "app.clients.directory.READ_SECONDS",
    "app.clients.directory.REFRESH_SECONDS",
    "app.clients.directory.UNKNOWN_REFRESH_SECONDS",
    "app.clients.directory.UNKNOWN_WAIT_SECONDS",
    "app.batches.queue.KEPT_SECONDS",
    "app.catalogue.verification.GAUGES_SECONDS",
    "ml.songs.csv_records.MAX_BLOCK_BYTES",
    "ml.songs.csv_records.MAX_CELLS",
    "ml.songs.contract.MAX_TRACK_ID",
}

UNRELATED_MODULES = re.compile(r"ml\.(bulk|training|model\.artifact|songs\.parquet)|app\.batches\.worker")


def table() -> dict[str, float]:
    """Return the limits of the table by where they are set."""
    section = SECURITY.read_text(encoding="utf-8").split("\n## Limits\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (?!limit|---)(.+) \| (.+) \| (.+) \| (.+) \|$", section, re.MULTILINE)
    assert len(rows) > 25
    limits = {}
    for _, default, where, _ in rows:
        number, _, unit = default.partition(" ")
        limits[where.replace("`", "")] = float(number.replace(",", "")) * UNITS[unit]
    assert len(limits) == len(rows)
    return limits


def constants() -> dict[str, float]:
    """Return the constants that are named like limits in all modules that read client input."""
    found = {}
    for package in (app.http, app.batches, app.catalogue, app.clients, graphql_schema, ml):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if UNRELATED_MODULES.match(module.name):
                continue
            members = vars(importlib.import_module(module.name))
            source = Path(members["__file__"]).read_text(encoding="utf-8")
            for name, value in members.items():
                own = re.search(rf"^{name}\b.* = ", source, re.MULTILINE)
                if own and LIMIT_NAME.fullmatch(name) and not name.startswith("_"):
                    seconds = value.total_seconds() if isinstance(value, timedelta) else value
                    if isinstance(seconds, int | float):
                        found[f"{module.name}.{name}"] = float(seconds)
    return found


def settings() -> dict[str, float]:
    values = Settings(_env_file=None).model_dump()
    return {
        f"{PREFIX}{name.upper()}": float(value)
        for name, value in values.items()
        if SETTING_NAME.fullmatch(name)
    }


def test_every_limit_is_in_the_table_with_its_value() -> None:
    expected = {
        **settings(),
        **{name: value for name, value in constants().items() if name not in NOT_OF_CLIENTS},
    }
    assert table() == expected


def test_the_exceptions_from_the_limits_table_exist() -> None:
    assert constants().keys() >= NOT_OF_CLIENTS


def test_a_websocket_message_has_the_limit_of_a_json_body() -> None:
    import uvicorn

    from app.http.limits import MAX_JSON_BYTES

    assert uvicorn.Config("none").ws_max_size == MAX_JSON_BYTES
