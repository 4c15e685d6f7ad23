from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.conftest import StartService
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows


def test_concurrent_uploads_of_one_file_become_one_batch_while_readers_are_served(
    start_service: StartService,
) -> None:
    # given more uploads than database connections, and no worker that could finish the batch
    api = start_service(worker_concurrency=0)
    file = song_csv(song_rows(400))

    def send(_: int) -> str:
        with ApiClient(api.url) as client:
            return str(client.classify(file, background=True, minConfidence=0.25)["id"])

    def read(_: int) -> int:
        with ApiClient(api.url) as client:
            return len(client.execute("{ batches { nodes { id } } }")["batches"]["nodes"])

    # when
    with ThreadPoolExecutor(40) as threads:
        sent, read_counts = threads.map(send, range(30)), threads.map(read, range(10))
        ids, counts = set(sent), list(read_counts)
    # then
    assert len(ids) == 1
    assert len(counts) == 10
    assert api.execute("{ batches { totalCount } }")["batches"]["totalCount"] == 1
