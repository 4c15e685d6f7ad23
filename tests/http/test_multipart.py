"""The GraphQL multipart request specification, and violations of it."""

from __future__ import annotations

import json
import socket
from itertools import permutations
from typing import Any

import httpx
import pytest

from tests.http.conftest import LogLines
from tests.support.client import CLASSIFY_BATCH, ApiClient, Parts, upload_parts
from tests.support.songs import song_csv, song_row, song_rows

Part = tuple[str, tuple[str | None, bytes | str]]

FILE = song_csv([song_row()])


def operations(**variables: Any) -> str:
    return json.dumps({"query": CLASSIFY_BATCH, "variables": variables})


OPERATIONS = operations(file=None)
NO_NULL = "'operations' must have a null at the map's path '{}'."


@pytest.fixture
def api(shared_api: ApiClient) -> ApiClient:
    return shared_api


def test_a_multipart_request_without_preflight_header_is_refused(api: ApiClient) -> None:
    response = api.http.post("/graphql", files=upload_parts(CLASSIFY_BATCH, FILE))
    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"]["code"] == "PREFLIGHT_REQUIRED"


@pytest.mark.parametrize("name", ["graphql-preflight", "apollo-require-preflight", "x-apollo-operation-name"])
def test_any_known_preflight_header_is_accepted(api: ApiClient, name: str) -> None:
    response = api.http.post("/graphql", files=upload_parts(CLASSIFY_BATCH, FILE), headers={name: "x"})
    assert response.json()["data"]["classifyBatch"]["rowsClassified"] == 1


def refusal(response: httpx.Response) -> str:
    """Return the message of a request that was refused as invalid."""
    assert response.status_code == 400, response.text
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    return str(error["message"])


def send(api: ApiClient, operations: str, mapping: str, *more: Part) -> httpx.Response:
    return api.multipart(
        [("operations", (None, operations)), ("map", (None, mapping)), ("0", ("songs.csv", FILE)), *more]
    )


def newest_batch(api: ApiClient) -> Any:
    return api.execute("{ batches(first: 1) { nodes { id } } }")


MAP = '{"0": ["variables.file"]}'


@pytest.mark.parametrize(
    ("operations", "mapping", "message"),
    [
        ("not json", MAP, "The multipart field 'operations' is not JSON: Expecting value: line 1 column 1"),
        ("[" * 10_000, MAP, "The multipart field 'operations' is nested too deeply."),
        (OPERATIONS, "not json", "The multipart field 'map' is not JSON: Expecting value: line 1 column 1"),
        (OPERATIONS, "", "The multipart field 'map' is not JSON: Expecting value: line 1 column 1"),
        (OPERATIONS, "[1]", '\'map\' must be a JSON object, such as {"0": ["variables.file"]}.'),
        (OPERATIONS, "7", '\'map\' must be a JSON object, such as {"0": ["variables.file"]}.'),
        (OPERATIONS, "null", '\'map\' must be a JSON object, such as {"0": ["variables.file"]}.'),
        (OPERATIONS, '{"0": "variables.file"}', "'map' must map '0' to a list of paths"),
        (OPERATIONS, '{"0": [7]}', "'map' must map '0' to a list of paths"),
        (OPERATIONS, '{"0": []}', "'map' must map '0' to a list of paths"),
        (OPERATIONS, '{"0": null}', "'map' must map '0' to a list of paths"),
        (OPERATIONS, "{}", "'map' has no path for the file in part '0'."),
        (
            OPERATIONS,
            '{"1": ["variables.file"]}',
            "'map' names the part '1', but the request has no such part.",
        ),
        (OPERATIONS, '{"map": ["variables.file"]}', "The part 'map' is not a file: its Content-Disposition"),
        (OPERATIONS, '{"0": ["file"]}', "The map's path 'file' must start with 'variables.'."),
        (OPERATIONS, '{"0": ["query"]}', "The map's path 'query' must start with 'variables.'."),
        (OPERATIONS, '{"0": ["variables"]}', "The map's path 'variables' must start with 'variables.'."),
        (OPERATIONS, '{"0": ["variables.other"]}', NO_NULL.format("variables.other")),
        (OPERATIONS, '{"0": ["variables.other.file"]}', NO_NULL.format("variables.other.file")),
        (OPERATIONS, '{"0": ["variables.file.0"]}', NO_NULL.format("variables.file.0")),
        (operations(files=[None]), '{"0": ["variables.files.1"]}', NO_NULL.format("variables.files.1")),
        (operations(files=[None]), '{"0": ["variables.files.x"]}', NO_NULL.format("variables.files.x")),
        (operations(file="text"), MAP, NO_NULL.format("variables.file")),
        (json.dumps({"query": CLASSIFY_BATCH}), MAP, NO_NULL.format("variables.file")),
        (json.dumps({"query": CLASSIFY_BATCH, "variables": 7}), MAP, NO_NULL.format("variables.file")),
        ("null", MAP, "'operations' must be a JSON object with a query and its variables."),
        ("7", MAP, "'operations' must be a JSON object with a query and its variables."),
        ('{"variables": {"file": null}}', MAP, "The request has no query."),
        ('{"query": 7, "variables": {"file": null}}', MAP, "`query` must be a string"),
        (f"[{OPERATIONS}, {OPERATIONS}]", '{"0": ["0.variables.file"]}', "Batching is not supported"),
        ("[]", MAP, "Batching is not supported"),
    ],
)
def test_operations_or_map_that_break_the_specification_are_refused_with_the_reason(
    api: ApiClient, operations: str, mapping: str, message: str
) -> None:
    before = newest_batch(api)
    assert message in refusal(send(api, operations, mapping))
    assert newest_batch(api) == before


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (0, "The multipart field 'operations' is missing."),
        (1, "The multipart field 'map' is missing."),
        (2, "'map' names the part '0', but the request has no such part."),
    ],
)
def test_a_missing_multipart_field_is_named(api: ApiClient, missing: int, message: str) -> None:
    parts = upload_parts(CLASSIFY_BATCH, FILE)
    del parts[missing]
    assert refusal(api.multipart(parts)) == message


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_multipart_fields_can_come_in_any_order(api: ApiClient, order: tuple[int, ...]) -> None:
    parts = upload_parts(CLASSIFY_BATCH, FILE)
    response = api.multipart([parts[place] for place in order])
    assert response.json()["data"]["classifyBatch"]["rowsClassified"] == 1


def test_a_second_file_is_refused(api: ApiClient) -> None:
    more: Part = ("1", ("more.csv", FILE))
    mapping = '{"0": ["variables.file"], "1": ["variables.more"]}'
    before = newest_batch(api)
    message = refusal(send(api, operations(file=None, more=None), mapping, more))
    assert message == "A request can have one file. Send each file in its own request."
    assert newest_batch(api) == before


@pytest.mark.parametrize(
    ("name", "more"),
    [("0", (None, "text")), ("map", (None, MAP)), ("operations", (None, OPERATIONS))],
)
def test_two_parts_with_the_same_name_are_refused(
    api: ApiClient, name: str, more: tuple[str | None, bytes | str]
) -> None:
    message = refusal(send(api, OPERATIONS, MAP, (name, more)))
    assert message == f"2 parts are named '{name}'. Give each part a unique name."


def test_a_list_of_files_is_refused_by_the_schema(api: ApiClient) -> None:
    # given an operation with a list of files, sent as specified
    query = """
    mutation ($files: [Upload!]!) { classifyBatch(file: $files) { __typename } }
    """
    listed = json.dumps({"query": query, "variables": {"files": [None]}})
    # when
    response = send(api, listed, '{"0": ["variables.files.0"]}')
    # then the schema refuses it, not the multipart parser
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert (
        "Variable '$files' of type '[Upload!]!' used in position expecting type 'Upload!'."
        in error["message"]
    )


def test_a_file_where_the_schema_expects_none_is_refused(api: ApiClient) -> None:
    before = newest_batch(api)
    response = send(api, operations(file=None, options=None), '{"0": ["variables.options"]}')
    (error, *_) = response.json()["errors"]
    assert error["extensions"]["code"] in {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}
    assert "options" in error["message"] or "file" in error["message"]
    assert newest_batch(api) == before


def test_an_operation_without_files_can_be_multipart(api: ApiClient) -> None:
    parts: Parts = [("operations", (None, json.dumps({"query": "{ __typename }"}))), ("map", (None, "{}"))]
    assert api.multipart(parts).json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("content_type", ["application/json", "Text/Plain; charset=UTF-8", ""])
def test_operations_and_map_can_be_blobs(api: ApiClient, order: tuple[int, ...], content_type: str) -> None:
    blob = f'form-data; name="{{}}"; filename="blob"\r\ncontent-type: {content_type}'
    parts = [
        (blob.format("operations"), OPERATIONS.encode()),
        (blob.format("map"), MAP.encode()),
        ('form-data; name="0"; filename="songs.csv"', FILE),
    ]
    response = raw(api, *(parts[place] for place in order))
    assert response.json()["data"]["classifyBatch"]["rowsClassified"] == 1


def test_operations_and_map_can_have_a_content_type(api: ApiClient) -> None:
    parts = [(f"{head}\r\ncontent-type: application/json", body) for head, body in FIELDS]
    response = raw(api, *parts, ('form-data; name="0"; filename="songs.csv"', FILE))
    assert response.json()["data"]["classifyBatch"]["rowsClassified"] == 1


def test_operations_as_a_blob_has_the_limit_of_a_field(api: ApiClient) -> None:
    blob = ('form-data; name="operations"; filename="blob"', OPERATIONS.encode() + b" " * 100_000)
    file = ('form-data; name="0"; filename="songs.csv"', FILE)
    assert refusal(raw(api, blob, FIELDS[1], file)) == (
        "A part without a filename is larger than 65,536 bytes. If it is the file, add a filename."
    )


@pytest.mark.parametrize("name", ["operations", "map"])
def test_fields_that_are_not_utf_8_are_refused(api: ApiClient, name: str) -> None:
    parts = [(head, body if name not in head else body + b"\xff") for head, body in FIELDS]
    file = ('form-data; name="0"; filename="songs.csv"', FILE)
    assert refusal(raw(api, *parts, file)) == f"The part '{name}' is not UTF-8."


def test_a_byte_order_mark_before_a_field_is_skipped(api: ApiClient) -> None:
    parts = [(head, b"\xef\xbb\xbf" + body) for head, body in FIELDS]
    response = raw(api, *parts, ('form-data; name="0"; filename="songs.csv"', FILE))
    assert response.json()["data"]["classifyBatch"]["rowsClassified"] == 1


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("filename*=UTF-8''%C3%A9t%C3%A9.csv", "été.csv"),
        ("filename*=utf-8'fr'%C3%A9t%C3%A9.csv", "été.csv"),
        ("filename*=iso-8859-1''%E9t%E9.csv", "été.csv"),
        ("filename*=UTF-8''a%22%3B%5C.csv", 'a";\\.csv'),
        ("filename*=\"UTF-8''a.csv\"", "a.csv"),
        ("filename=\"a.csv\"; filename*=UTF-8''b.csv", "a.csv"),
        ("filename*=UTF-8''b.csv; filename=\"a.csv\"", "a.csv"),
        ('FileName="a.csv"', "a.csv"),
        ("filename=a.csv", "a.csv"),
    ],
)
def test_a_file_name_can_be_sent_in_any_form(api: ApiClient, parameters: str, name: str) -> None:
    response = raw(api, *FIELDS, (f'form-data; name="0"; {parameters}', FILE))
    result = response.json()["data"]["classifyBatch"]
    assert (result["rowsClassified"], result["fileName"]) == (1, name)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("parameter", ["filename*=UTF-8''a%00.csv", 'filename="a\0.csv"'])
def test_a_file_name_that_cannot_be_stored_is_refused(
    api: ApiClient, parameter: str, background: bool
) -> None:
    sent = operations(file=None, options={"background": background})
    fields = [('form-data; name="operations"', sent.encode()), *FIELDS[1:]]
    response = raw(api, *fields, (f'form-data; name="0"; {parameter}', FILE))
    refused = response.json()["data"]["classifyBatch"]
    assert (refused["__typename"], refused["problems"][0]["kind"]) == ("InvalidSongFile", "FILE_NAME")


@pytest.mark.parametrize("value", ["nope''a.csv", "a.csv", "UTF-8''%FF.csv"])
def test_an_invalid_extended_file_name_is_refused(api: ApiClient, value: str) -> None:
    message = refusal(raw(api, *FIELDS, (f'form-data; name="0"; filename*={value}', FILE)))
    assert message == "The filename* of a part must look like UTF-8''songs.csv, percent-encoded."


@pytest.mark.parametrize("encoding", ["base64", "Quoted-Printable", "x-uuencode"])
def test_an_unsupported_transfer_encoding_is_named(api: ApiClient, encoding: str) -> None:
    head = f'form-data; name="0"; filename="songs.csv"\r\ncontent-transfer-encoding: {encoding}'
    assert refusal(raw(api, *FIELDS, (head, FILE))) == (
        f"The Content-Transfer-Encoding {encoding.lower()} of a part is not supported. "
        "Send its bytes as they are."
    )


@pytest.mark.parametrize("encoding", ["binary", "8bit", "7BIT"])
def test_an_identity_transfer_encoding_is_accepted(api: ApiClient, encoding: str) -> None:
    head = f'form-data; name="0"; filename="songs.csv"\r\ncontent-transfer-encoding: {encoding}'
    response = raw(api, *FIELDS, (head, FILE))
    assert response.json()["data"]["classifyBatch"]["rowsClassified"] == 1


def test_additional_multipart_fields_are_refused(api: ApiClient) -> None:
    more: Parts = [(f"field{number}", (None, "x")) for number in range(3)]
    assert "this one has more parts" in refusal(send(api, OPERATIONS, MAP, *more))


def test_text_instead_of_a_file_is_refused(api: ApiClient) -> None:
    (error,) = api.errors(CLASSIFY_BATCH, file="a,b\n1,2\n")
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "A file must be a part of a multipart request" in error["message"]


def raw(
    api: ApiClient, *parts: tuple[str, bytes], boundary: str | None = "x", end: bytes = b"--x--\r\n"
) -> httpx.Response:
    """Send a multipart body of parts that consist of a Content-Disposition and their content."""
    content = b"".join(
        b"--x\r\ncontent-disposition: " + head.encode() + b"\r\n\r\n" + body + b"\r\n" for head, body in parts
    )
    content_type = "multipart/form-data" + (f"; boundary={boundary}" if boundary else "")
    headers = {"content-type": content_type, "graphql-preflight": "1"}
    return api.http.post("/graphql", content=content + end, headers=headers)


FIELDS = (
    ('form-data; name="operations"', OPERATIONS.encode()),
    ('form-data; name="map"', MAP.encode()),
)


def test_a_file_with_an_empty_name_has_the_wrong_extension(api: ApiClient) -> None:
    response = raw(api, *FIELDS, ('form-data; name="0"; filename=""', FILE))
    result = response.json()["data"]["classifyBatch"]
    assert (result["__typename"], result["problemCount"]) == ("InvalidSongFile", 1)
    assert result["problems"][0]["kind"] == "FILE_NAME"


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (1_000, "The part '0' is not a file: its Content-Disposition needs a filename."),
        (100_000, "If it is the file, add a filename."),
    ],
)
def test_a_file_part_without_filename_is_refused(api: ApiClient, size: int, message: str) -> None:
    assert message in refusal(raw(api, *FIELDS, ('form-data; name="0"', b"a" * size)))


def test_a_part_without_a_name_is_refused(api: ApiClient) -> None:
    message = refusal(raw(api, *FIELDS, ('form-data; filename="songs.csv"', FILE)))
    assert message == "Each part needs a name in its Content-Disposition header."


def test_a_body_without_a_boundary_or_with_another_one_is_refused(api: ApiClient) -> None:
    file = ('form-data; name="0"; filename="songs.csv"', FILE)
    assert refusal(raw(api, *FIELDS, file, boundary=None)) == (
        "The content type multipart/form-data needs a boundary."
    )
    assert refusal(raw(api, *FIELDS, file, boundary="y")) == "The body is not valid multipart/form-data."
    assert refusal(raw(api)) == "The multipart field 'operations' is missing."


def test_a_body_that_ends_in_the_middle_of_the_file_is_refused(api: ApiClient) -> None:
    file = ('form-data; name="0"; filename="songs.csv"', FILE)
    before = newest_batch(api)
    message = refusal(raw(api, *FIELDS, file, end=b""))
    assert message == "The body ends before the closing boundary of its multipart/form-data."
    assert newest_batch(api) == before


def test_an_empty_file_is_an_invalid_song_file(api: ApiClient) -> None:
    result = api.classify(b"")
    assert (result["__typename"], result["problems"][0]["kind"]) == ("InvalidSongFile", "EMPTY_FILE")


def test_a_file_name_with_strange_characters_is_kept(api: ApiClient) -> None:
    assert api.classify(FILE, "été 2026; 🎵 <b>.csv")["fileName"] == "été 2026; 🎵 <b>.csv"


def test_a_disconnect_during_an_upload_is_not_an_error(api: ApiClient, log_lines: LogLines) -> None:
    # given an upload that is aborted in the middle of the file
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
    assert not [line for line in log_lines() if line["level"] == "error"]


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        # what urql accepts for any operation
        ("application/graphql-response+json, application/json, text/event-stream", "application/graphql-res"),
        ("text/event-stream", "text/event-stream"),
    ],
)
def test_an_upload_can_be_answered_as_an_event_stream(api: ApiClient, accept: str, answer: str) -> None:
    response = api.multipart(upload_parts(CLASSIFY_BATCH, song_csv(song_rows(3))), accept=accept)

    assert response.headers["content-type"].startswith(answer)
    document = next(line for line in response.text.splitlines() if "{" in line).removeprefix("data: ")
    assert json.loads(document)["data"]["classifyBatch"]["rowsClassified"] == 3
    assert "\r" not in response.text
