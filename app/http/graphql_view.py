"""The GraphQL endpoint: Strawberry's, made to keep the GraphQL-over-HTTP and multipart specs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, cast

from cross_web import AsyncHTTPRequestAdapter, FormData, HTTPException, StarletteRequestAdapter
from starlette.datastructures import FormData as StarletteFormData
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry import Schema
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult

from app.database.outage import is_disk_full
from app.http.authentication import (
    CLIENT_ID_HEADER,
    CLIENT_SECRET_HEADER,
    Authenticator,
    NotAuthenticatedError,
    TooManyAttemptsError,
)
from app.http.client_quota import ClientQuotas
from app.http.event_stream import EventStream
from app.http.graphql_error import GRAPHQL_RESPONSE, RETRY_AFTER, graphql_error
from app.http.multipart import MultipartError, operations_with_file, read_form
from app.http.query_length import MAX_QUERY_LENGTH, QUERY_TOO_LONG
from app.http.websocket_handler import TooManyConnectionsError, WebSocketHandler
from app.services.errors import FORBIDDEN_MESSAGE
from app.services.roles import NOBODY, Caller, Role

PREFLIGHT_HEADERS = (
    "graphql-preflight",
    "graphql-require-preflight",
    "apollo-require-preflight",
    "x-apollo-operation-name",
)
"""A browser sends none of these across origins without asking first, so that with one of them a
multipart request cannot be a forged form."""

CONNECTION_INIT_TIMEOUT = timedelta(seconds=10)
"""How long a WebSocket may stay open without saying who it is."""


_STATUS_CODES: Mapping[str, int] = {
    "INSUFFICIENT_STORAGE": 507,
    "QUERY_TOO_COMPLEX": 400,
    "REQUEST_TIMEOUT": 504,
}
"""Beside 503, the status of an answer that holds nothing but this error, in either media type."""


class _OneFileAdapter(StarletteRequestAdapter):
    async def get_form_data(self) -> FormData:
        form = await read_form(self._request)
        return FormData(files=form, form=form)


class GraphQLView(GraphQL[Any, None]):
    """Serves a schema at one path, by GET and POST."""

    request_adapter_class = _OneFileAdapter
    graphql_transport_ws_handler_class = WebSocketHandler
    stream_transport_classes_by_protocol = MappingProxyType({GRAPHQL_SSE_PROTOCOL: EventStream})

    def __init__(
        self,
        schema: Schema,
        context: Callable[[Caller], Any],
        authenticator: Authenticator,
        *,
        quotas: ClientQuotas,
        allowed_origins: Sequence[str] = (),
    ) -> None:
        """Make the view.

        Args:
            schema: what to serve.
            context: makes the context of a request for the one who sends it.
            authenticator: who may open a WebSocket: a browser's cannot send headers, and so says it later.
            quotas: what a client may have open over WebSockets.
            allowed_origins: of pages on other hosts that may open one.
        """
        super().__init__(
            schema,
            graphql_ide=None,
            multipart_uploads_enabled=True,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            connection_init_wait_timeout=CONNECTION_INIT_TIMEOUT,
            max_subscriptions_per_connection=None,  # those of a client are counted over all of them
            allowed_origins=allowed_origins,
        )
        self._context = context
        self._authenticator = authenticator
        self.quotas = quotas

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; whatever is wrong with it is told in GraphQL's own shape."""
        if scope["type"] == "websocket":
            await self.run(WebSocket(scope, receive, send))
            return
        request = Request(scope, receive)
        try:
            response = await self._response(request)
            # A streamed answer, which a client may ask for with any operation, reads the upload only now.
            if response is not None:
                await response(scope, receive, send)
        finally:
            await request.close()  # the uploaded file, which Strawberry leaves open

    async def _response(self, request: Request) -> Response | None:
        """Return the answer to a request; None if nobody is left to be answered."""
        try:
            return await self._respond(request)
        except ClientDisconnect:
            return None
        except HTTPException as error:
            code = "BAD_REQUEST" if error.status_code < 500 else "INTERNAL_SERVER_ERROR"  # noqa: PLR2004
            return graphql_error(error.status_code, code, error.reason)
        except OSError as error:
            if not is_disk_full(error):
                raise
            return graphql_error(507, "INSUFFICIENT_STORAGE", "The disk is full, and nothing was stored.")

    async def _respond(self, request: Request) -> Response:
        if _is_multipart(request) and not any(request.headers.get(name) for name in PREFLIGHT_HEADERS):
            return graphql_error(
                403, "PREFLIGHT_REQUIRED", "A multipart request needs the header GraphQL-Preflight: 1."
            )
        if _is_multipart(request) and not request.state.role.includes(Role.WRITER):
            return graphql_error(403, "FORBIDDEN", FORBIDDEN_MESSAGE)  # before the file is read
        return await self.run(request)

    async def get_context(self, request: Request | WebSocket, response: object) -> Any:
        """Return the context of a request."""
        context = self._context(getattr(request.state, "caller", NOBODY))
        context.connection = request
        return context

    async def on_ws_connect(self, context: Any) -> Any:
        """Let a known client through, by the credentials of its first message if it sent no headers.

        Raises:
            ConnectionRejectionError: it sent none, or wrong ones.
            TooManyConnectionsError: it has as many WebSockets as it may have.
        """
        if context.caller is NOBODY:
            sent = context.connection_params or {}
            try:
                context.caller = await self._authenticator.caller(
                    context.connection, sent.get(CLIENT_ID_HEADER), sent.get(CLIENT_SECRET_HEADER)
                )
            except (NotAuthenticatedError, TooManyAttemptsError):
                raise ConnectionRejectionError from None
        if not self.quotas.websockets.has_room(context.client_id):
            raise TooManyConnectionsError
        return await super().on_ws_connect(context)

    def decode_json(self, data: str | bytes) -> object:
        """Read a JSON document.

        Raises:
            json.JSONDecodeError: it is none, not UTF-8, too deep, or has a number too long.
        """
        try:
            return super().decode_json(data)
        except json.JSONDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            raise json.JSONDecodeError(str(error), "", 0) from error

    def parse_json(self, data: str | bytes) -> Any:
        """Read a JSON document; one that is neither object nor list cannot be a request."""
        try:
            parsed = super().parse_json(data)
        except json.JSONDecodeError as error:
            raise HTTPException(400, "Unable to parse request body as JSON") from error
        if not isinstance(parsed, dict | list):
            raise HTTPException(400, "The request body must be a JSON object.")
        return parsed

    async def parse_http_body(
        self, request: AsyncHTTPRequestAdapter
    ) -> GraphQLRequestData | list[GraphQLRequestData]:
        """Read a request; one whose query is too long is refused before it is parsed."""
        data = await super().parse_http_body(request)
        if isinstance(data, GraphQLRequestData) and len(data.query or "") > MAX_QUERY_LENGTH:
            raise HTTPException(400, QUERY_TOO_LONG)
        return data

    async def parse_multipart(self, request: AsyncHTTPRequestAdapter) -> dict[str, str]:
        """Read a multipart request; one that breaks the spec is the client's mistake."""
        try:
            data = await request.get_form_data()
            return operations_with_file(cast("StarletteFormData", data.form))
        except MultipartError as error:
            raise HTTPException(400, str(error)) from error

    async def process_result(
        self, request: Request, result: ExecutionResult, strict: bool = False
    ) -> GraphQLHTTPResponse:
        """Leave `data` out of the reply to a request that was not executed."""
        response = await super().process_result(request, result)
        errors = cast("list[dict[str, Any]]", response.get("errors") or [])
        if response.get("data") is None and errors and not any("path" in error for error in errors):
            cast("dict[str, Any]", response).pop("data", None)
        return response

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        """Note which media type the client asked for."""
        sub_response = await super().get_sub_response(request)
        sub_response.media_type = (
            GRAPHQL_RESPONSE if GRAPHQL_RESPONSE in request.headers.get("accept", "") else "application/json"
        )
        return sub_response

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        """Answer in that media type; in GraphQL's own, a request that was not executed is a 400."""
        response = super().create_response(response_data, sub_response)
        if sub_response.media_type == GRAPHQL_RESPONSE:
            response.headers["content-type"] = f"{GRAPHQL_RESPONSE}; charset=utf-8"
            if isinstance(response_data, Mapping) and "data" not in response_data:
                response.status_code = 400
        if isinstance(response_data, Mapping) and response_data.get("data") is None:
            errors = cast("list[dict[str, Any]]", response_data.get("errors") or [])
            codes = {error.get("extensions", {}).get("code") for error in errors}
            if "UNAVAILABLE" in codes:
                response.status_code = 503
                response.headers.update(RETRY_AFTER)
            else:
                for code in codes & _STATUS_CODES.keys():
                    response.status_code = _STATUS_CODES[code]
        return response


def _is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/")
