"""Traces of a service as received by a collector."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from pydantic import SecretStr

from app.http.servers import running
from app.main import create_app
from app.observability.open_telemetry import open_telemetry
from app.settings import Settings
from tests.conftest import ExecuteSql
from tests.support.client import CLASSIFY_BATCH, ApiClient, upload_parts
from tests.support.invariants import uuid_of
from tests.support.replica import Process, Replica, replica, started
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import finished

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


class Collector:
    """Receives spans over OTLP/HTTP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for attribute in resource.resource.attributes:
                        if attribute.key == "service.name":
                            collector.services.add(attribute.value.string_value)
                    for scope in resource.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever)
    thread.start()
    yield collector
    collector.server.shutdown()
    thread.join()
    collector.server.server_close()


def attributes(span: Span) -> dict[str, str]:
    return {attribute.key: attribute.value.string_value for attribute in span.attributes}


def traced(database_url: str, collector: Collector) -> Replica:
    service = replica(database_url, log_format="json")
    service.environment = {**service.environment, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    return service


def test_a_request_is_a_span_with_its_statements_in_the_callers_trace(
    database_url: str, collector: Collector
) -> None:
    # given
    service = traced(database_url, collector)
    with started(service):
        with ApiClient(service.url) as api:
            # when
            api.post("{ genres { name } }", headers={"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"})
            api.http.get("/graphql", params={"query": '{ songs(titleContains: "canary") { totalCount } }'})
            api.http.get("/healthcheck")
        # then, after it has exported its last spans
        code, log = service.stop()
    assert code == 0
    assert collector.services == {"genregraph"}
    requests = [span for span in collector.spans if span.kind == Span.SPAN_KIND_SERVER]
    assert [span.name for span in requests] == ["query genres", "query songs"]
    genres = requests[0]
    assert genres.trace_id.hex() == TRACE_ID
    assert attributes(genres)["genregraph.outcome"] == "ok"
    assert attributes(genres)["genregraph.client_id"] == "test"
    statements = [span for span in collector.spans if span.parent_span_id == genres.span_id]
    assert any(span.name.startswith("SELECT") for span in statements)
    # and nothing else: neither the probe nor the queue's polling is traced
    assert {span.trace_id for span in collector.spans} == {span.trace_id for span in requests}
    # and no value of a query
    assert not any("canary" in value for span in collector.spans for value in attributes(span).values())
    # and the log has the trace id
    assert any(TRACE_ID in line and '"event": "request"' in line for line in log.splitlines())


@contextmanager
def queueing(database_url: str, collector: Collector) -> Iterator[tuple[ApiClient, Process]]:
    """Run a service that only queues, and a worker; both have exported their spans afterwards."""
    service = traced(database_url, collector)
    service.environment = {**service.environment, "GENREGRAPH_WORKER_CONCURRENCY": "0"}
    worker = Process(["worker"], {**service.environment, "GENREGRAPH_WORKER_CONCURRENCY": "1"})
    with started(service, worker):
        with ApiClient(service.url) as api:
            yield api, worker
        assert (worker.stop()[0], service.stop()[0]) == (0, 0)


def classified_in_background(api: ApiClient) -> dict[str, Any]:
    parts = upload_parts(CLASSIFY_BATCH, song_csv(song_rows(3)), options={"background": True})
    answer = api.multipart(parts, traceparent=f"00-{TRACE_ID}-b7ad6b7169203331-01")
    return finished(api, answer.json()["data"]["classifyBatch"]["id"])


def test_a_background_batch_is_a_span_with_its_statements_in_the_trace_of_its_request(
    database_url: str, collector: Collector
) -> None:
    # when
    with queueing(database_url, collector) as (api, worker):
        batch = classified_in_background(api)
        _, log = worker.stop()
    # then
    assert batch["status"] == "SUCCEEDED"
    (upload,) = (span for span in collector.spans if span.name == "mutation classifyBatch")
    (sent,) = (span for span in collector.spans if span.name == "send classify_batch")
    (done,) = (span for span in collector.spans if span.name == "process classify_batch")
    assert upload.trace_id.hex() == TRACE_ID
    assert (sent.kind, sent.parent_span_id) == (Span.SPAN_KIND_PRODUCER, upload.span_id)
    assert (done.kind, done.parent_span_id) == (Span.SPAN_KIND_CONSUMER, sent.span_id)
    assert {span.trace_id for span in (upload, sent, done)} == {upload.trace_id}
    assert attributes(done)["genregraph.batch_id"] == uuid_of(batch)
    assert done.status.code == Status.STATUS_CODE_UNSET
    statements = [span.name for span in collector.spans if span.parent_span_id == done.span_id]
    assert any(name.startswith("INSERT") for name in statements)
    # and the worker's log has the trace id
    assert any(TRACE_ID in line and '"event": "batch ended"' in line for line in log.splitlines())


@contextmanager
def traced_here(database_url: str) -> Iterator[tuple[ApiClient, InMemorySpanExporter]]:
    """Run a service in this process, which has exported all its spans afterwards."""
    exporter = InMemorySpanExporter()
    settings = Settings(_env_file=None, database_url=SecretStr(database_url), clients=SecretStr("test:test"))
    with open_telemetry(SimpleSpanProcessor(exporter)) as tracing:
        app = tracing.requests(create_app(settings, tracing=tracing))
        with running(app) as port, ApiClient(f"http://127.0.0.1:{port}") as api:
            yield api, exporter


def test_each_attempt_that_fails_is_a_span_with_an_error(database_url: str, execute_sql: ExecuteSql) -> None:
    # given a database that rejects songs
    execute_sql("ALTER TABLE batch_result_parts ADD CHECK (false)")
    # when
    with traced_here(database_url) as (api, exporter):
        batch = classified_in_background(api)
    # then
    assert batch["status"] == "FAILED"
    attempts = [span for span in exporter.get_finished_spans() if span.name == "process classify_batch"]
    assert [span.status.status_code for span in attempts] == [StatusCode.ERROR] * 3
    assert {f"{span.context.trace_id:032x}" for span in attempts} == {TRACE_ID}


def test_nothing_is_traced_without_an_endpoint(database_url: str, collector: Collector) -> None:
    # given
    service = replica(database_url)
    with started(service), ApiClient(service.url) as api:
        # when
        api.execute("{ genres { name } }")
        _, log = service.stop()
    # then
    assert collector.spans == []
    assert "trace_id" not in log


def test_uploads_and_background_batches_have_a_span_per_step(database_url: str) -> None:
    with traced_here(database_url) as (api, exporter):
        # when
        api.classify(song_csv(song_rows(3)))
        in_request = exporter.get_finished_spans()
        exporter.clear()
        finished(api, api.classify(song_csv(song_rows(4)), background=True)["id"])
    in_background = exporter.get_finished_spans()
    # then
    assert steps_of("mutation classifyBatch", in_request) == ["upload", "read", "classify", "merge"]
    assert steps_of("mutation classifyBatch", in_background) == ["upload"]
    assert steps_of("process classify_batch", in_background) == ["read", "classify", "merge"]
    # and the merge has its statements
    (merge,) = (span for span in in_background if span.name == "merge")
    below = [
        span.name for span in in_background if span.parent and span.parent.span_id == merge.context.span_id
    ]
    assert any(name.startswith("INSERT") for name in below), below


def steps_of(parent: str, spans: Sequence[ReadableSpan]) -> list[str]:
    """Return the steps below the span of this name, by when each first started."""
    (above,) = (span for span in spans if span.name == parent)
    names = {"upload", "read", "classify", "merge"}
    below = [s for s in spans if s.name in names and s.parent and s.parent.span_id == above.context.span_id]
    began = sorted(below, key=lambda span: span.start_time or 0)
    return list(dict.fromkeys(span.name for span in began))
