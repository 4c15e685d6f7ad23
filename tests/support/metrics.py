"""Read the metrics of a service."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.support.client import ApiClient

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(api: ApiClient) -> Samples:
    response = api.http.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    return samples_of(response.text)


def samples_of(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"genregraph_{name}", frozenset(labels.items())), 0.0)
