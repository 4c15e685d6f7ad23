"""The GraphQL multipart request specification, and what breaks it."""

from __future__ import annotations

import json
import socket

import pytest

from tests.client import CLASSIFY_BATCH, ApiClient, upload_parts
from tests.factories.songs import song_csv, song_row

FILE = song_csv([song_row()])
OPERATIONS = json.dumps({"query": CLASSIFY_BATCH, "variables": {"file": None}})


def test_a_multipart_request_without_preflight_header_is_refused(api: ApiClient) -> None:
    response = api.http.post("/graphql", files=upload_parts(CLASSIFY_BATCH, FILE))
    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"]["code"] == "PREFLIGHT_REQUIRED"


@pytest.mark.parametrize("name", ["graphql-preflight", "apollo-require-preflight", "x-apollo-operation-name"])
def test_any_of_the_known_preflight_headers_will_do(api: ApiClient, name: str) -> None:
    response = api.http.post("/graphql", files=upload_parts(CLASSIFY_BATCH, FILE), headers={name: "x"})
    assert response.json()["data"]["classifyBatch"]["rowsClassified"] == 1


@pytest.mark.parametrize(
    ("operations", "mapping"),
    [
        ("not json", '{"0": ["variables.file"]}'),
        (OPERATIONS, "not json"),
        (OPERATIONS, "[1]"),
        (OPERATIONS, '{"0": "variables.file"}'),
        (OPERATIONS, '{"0": [7]}'),
        (OPERATIONS, '{"0": ["variables.other.file"]}'),
        (OPERATIONS, '{"1": ["variables.file"]}'),
        ("[]", '{"0": ["variables.file"]}'),
        ("null", '{"0": ["variables.file"]}'),
        ("7", '{"0": ["variables.file"]}'),
        ('{"variables": {"file": null}}', '{"0": ["variables.file"]}'),
        (f"[{OPERATIONS}, {OPERATIONS}]", '{"0": ["0.variables.file"]}'),
    ],
)
def test_operations_or_map_that_break_the_spec_are_the_clients_mistake(
    api: ApiClient, operations: str, mapping: str
) -> None:
    response = api.multipart(
        [("operations", (None, operations)), ("map", (None, mapping)), ("0", ("songs.csv", FILE))]
    )
    assert response.status_code in {200, 400}
    assert response.json()["errors"][0]["message"]
    assert "INTERNAL_SERVER_ERROR" not in response.text
    assert api.execute("{ songs { totalCount } }") == {"songs": {"totalCount": 0}}


def test_missing_parts_are_the_clients_mistake(api: ApiClient) -> None:
    parts = upload_parts(CLASSIFY_BATCH, FILE)
    for missing in range(3):
        response = api.multipart([part for place, part in enumerate(parts) if place != missing])
        assert response.status_code in {200, 400}, response.text
        assert response.json()["errors"][0]["message"]
        assert "INTERNAL_SERVER_ERROR" not in response.text


def test_two_files_in_one_request_are_refused(api: ApiClient) -> None:
    response = api.multipart([*upload_parts(CLASSIFY_BATCH, FILE), ("1", ("more.csv", FILE))])
    assert response.status_code == 400
    assert api.execute("{ songs { totalCount } }") == {"songs": {"totalCount": 0}}


def test_a_text_in_place_of_the_file_is_refused(api: ApiClient) -> None:
    (error,) = api.errors(CLASSIFY_BATCH, file="a,b\n1,2\n")
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "A file must be a part of a multipart request" in error["message"]


def test_a_file_part_without_a_name_is_refused_with_a_reason(api: ApiClient) -> None:
    response = api.multipart(upload_parts(CLASSIFY_BATCH, FILE, name=""))
    assert response.status_code in {200, 400}
    assert "INTERNAL_SERVER_ERROR" not in response.text


def test_a_file_name_with_strange_characters_is_kept(api: ApiClient) -> None:
    assert api.classify(FILE, "été 2026; 🎵 <b>.csv")["fileName"] == "été 2026; 🎵 <b>.csv"


def test_a_client_that_hangs_up_in_mid_upload_does_no_harm(
    api: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    # given an upload that breaks off in the middle of the file
    port = int(api.url.rpartition(":")[2])
    start = b'--x\r\ncontent-disposition: form-data; name="0"; filename="a.csv"\r\n\r\n' + FILE
    head = (
        b"POST /graphql HTTP/1.1\r\nhost: localhost\r\nclient-id: test\r\nclient-secret: test\r\n"
        b"graphql-preflight: 1\r\ncontent-type: multipart/form-data; boundary=x\r\n"
        b"content-length: 1000000\r\n\r\n"
    )
    # when
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head + start)
    # then
    assert api.classify(FILE)["rowsClassified"] == 1
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
