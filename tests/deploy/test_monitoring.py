"""The dashboard and alerts, with a real Prometheus that scrapes a running service; skipped without one."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.client import ApiClient
from tests.support.deployed_files import PROMETHEUS, RULES, run
from tests.support.metrics import scrape
from tests.support.ports import free_port
from tests.support.programs import ROOT, on_path
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually, finished

DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/genregraph.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    """Return all queries of the dashboard, as Grafana would send them, and of the alerts."""
    queries = [target["expr"] for panel in PANELS for target in panel["targets"]]
    filled = [expr.replace("$job", "genregraph").replace("$__rate_interval", "1m") for expr in queries]
    return [*filled, *(rule["expr"] for rule in RULES)]


@pytest.fixture
def busy(api: ApiClient) -> ApiClient:
    """A service with traffic of each kind."""
    api.classify(song_csv(song_rows(20)))
    finished(api, api.classify(song_csv(song_rows(30)), background=True)["id"])
    api.execute("{ genres { name } }")
    api.post("{ nosuchfield }")
    httpx.get(f"{api.url}/graphql", headers={"client-id": "test", "client-secret": "guessed"})
    return api


@pytest.fixture
def prometheus(busy: ApiClient, folder: Path) -> Iterator[httpx.Client]:
    """Prometheus with the shipped alerts, which scrapes the service every half second."""
    program = on_path("prometheus", "apt-get install prometheus")
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(PROMETHEUS / "alerts.yml")]
    (job,) = config["scrape_configs"]
    del job["dns_sd_configs"]
    job |= {
        "static_configs": [{"targets": [busy.url.removeprefix("http://")]}],
        "basic_auth": {"username": "test", "password": "test"},
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60) as client:
            eventually(lambda: client.get("/status/runtimeinfo").status_code == 200, "Prometheus answers")
            yield client
    finally:
        process.terminate()
        process.wait(60)


def samples(prometheus: httpx.Client, expression: str) -> list[dict[str, Any]]:
    answer = prometheus.get("/query", params={"query": expression}).json()
    assert answer["status"] == "success", (expression, answer)
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def test_prometheus_scrapes_with_credentials_and_evaluates_every_query(prometheus: httpx.Client) -> None:
    # given at least two scrapes, so that there are rates
    eventually(
        lambda: bool(samples(prometheus, "rate(genregraph_song_confidence_count[1m])")),
        "two scrapes are there",
    )
    # then
    assert [sample["value"][1] for sample in samples(prometheus, 'up{job="genregraph"}')] == ["1"]
    assert [s["value"][1] for s in samples(prometheus, "genregraph_song_confidence_count")] == ["50"]
    queries = expressions()[: -len(RULES)]
    assert [query for query in queries if not samples(prometheus, query)] == []
    # and the alerts are evaluated, and none is raised
    rules = prometheus.get("/rules").json()["data"]["groups"][0]["rules"]
    assert {rule["name"] for rule in rules} == {rule["alert"] for rule in RULES}
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
    assert prometheus.get("/alerts").json()["data"]["alerts"] == []


def test_every_queried_metric_exists(busy: ApiClient) -> None:
    # given
    existing = {name for name, _ in scrape(busy)} | {"up"}
    # when
    queried = {
        name
        for expression in expressions()
        for name in re.findall(r"\b(?:genregraph|process)_\w+|\bup\b", expression)
    }
    # then
    assert len(queried) > 15
    assert queried <= existing


def test_every_metric_is_on_the_dashboard_or_in_an_alert(busy: ApiClient) -> None:
    # given
    ours = {re.sub(r"_(bucket|sum|count|created|total)$", "", name) for name, _ in scrape(busy)}
    ours = {name for name in ours if name.startswith("genregraph_")}
    # then
    everything = " ".join(expressions())
    assert {name for name in ours if name not in everything} == set()


def test_every_panel_and_alert_has_a_description() -> None:
    assert all(panel["title"] and panel["description"] for panel in PANELS)
    assert all(rule["annotations"].keys() == {"summary", "action"} for rule in RULES)
    assert {rule["labels"]["severity"] for rule in RULES} == {"page", "ticket"}


@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        pytest.param(("test", "rules", "alerts.test.yml"), marks=pytest.mark.slow),
    ],
)
def test_the_rules_pass_promtool(command: tuple[str, ...]) -> None:
    run(on_path("promtool", "apt-get install prometheus"), *command, cwd=PROMETHEUS)


def test_the_metrics_pass_promtool(busy: ApiClient) -> None:
    # given
    promtool = on_path("promtool", "apt-get install prometheus")
    metrics = busy.http.get("/metrics").content
    # when
    checked = subprocess.run([promtool, "check", "metrics"], input=metrics, capture_output=True, check=False)
    # then
    mismatches = [line for line in checked.stderr.decode().splitlines() if line.startswith("genregraph_")]
    assert mismatches == []
