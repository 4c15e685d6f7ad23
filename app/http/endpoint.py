"""The GraphQL endpoint: Strawberry's view, adapted to the GraphQL-over-HTTP and multipart specs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, cast

from cross_web import AsyncHTTPRequestAdapter, FormData, HTTPException, StarletteRequestAdapter
from starlette.datastructures import FormData as StarletteFormData
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry import Schema
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.types import HTTPMethod
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from app.clients.authentication import Authenticator, NotAuthenticatedError, TooManyAttemptsError
from app.clients.credentials import CLIENT_ID_HEADER, CLIENT_SECRET_HEADER
from app.clients.roles import NOBODY, Caller
from app.database.errors import is_disk_full
from app.errors import Code
from app.http.limits import ClientQuotas
from app.http.requests import (
    ALLOW,
    MULTIPART,
    check_head,
    check_query,
    check_upload,
    media_type,
    read_body,
    read_json,
    read_ordinary,
    read_url,
)
from app.http.responses import (
    JSON,
    RefusedRequestError,
    accepted_type,
    answer,
    encoded,
    graphql_error,
    unless_known,
    without_data,
)
from app.http.streams import STREAMS
from app.http.uploads import Spool, operations_with_file, read_form
from app.http.websockets import WebSocketHandler
from app.observability.tracing import step

CONNECTION_INIT_TIMEOUT = timedelta(seconds=10)
"""How long a WebSocket may stay open without authentication."""

_NOTHING_YET: Final = Response()
"""Placeholder for a response that is not known."""


class _Adapter(StarletteRequestAdapter):
    """Gives Strawberry access to a request."""

    @property
    def method(self) -> HTTPMethod:
        """The method, with GET for HEAD: the server omits the body."""
        return "GET" if self._request.method == "HEAD" else super().method

    @property
    def content_type(self) -> str:
        """The media type, in lower case as Strawberry expects it."""
        return media_type(self._request)

    @property
    def query_params(self) -> Any:
        """The validated URL parameters with their JSON parsed."""
        return read_url(self._request.scope["query_string"])

    async def get_form_data(self) -> FormData:
        """Read a multipart request with at most one file."""
        with step("upload"):
            form = await read_form(self._request)
        return FormData(files=form, form=form)


class GraphQLView(GraphQL[Any, None]):
    """Serves a schema at one path, by GET and POST."""

    request_adapter_class = _Adapter
    graphql_transport_ws_handler_class = WebSocketHandler
    stream_transport_classes_by_protocol = STREAMS

    def __init__(  # noqa: PLR0913 - its dependencies
        self,
        schema: Schema,
        context: Callable[[Caller], Any],
        authenticator: Authenticator,
        *,
        quotas: ClientQuotas,
        spool: Spool,
        allowed_origins: Sequence[str] = (),
    ) -> None:
        """Initialize the view.

        Args:
            schema: the schema to serve.
            context: creates the context for a caller.
            authenticator: authenticates WebSockets, since browsers cannot send headers with them.
            quotas: limits of a client's WebSockets and their operations.
            spool: limits the disk space of uploads.
            allowed_origins: origins of pages that may open WebSockets.
        """
        super().__init__(
            schema,
            graphql_ide=None,
            multipart_uploads_enabled=True,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, *STREAMS),
            connection_init_wait_timeout=CONNECTION_INIT_TIMEOUT,
            max_subscriptions_per_connection=None,  # limited per client instead
            allowed_origins=allowed_origins,
        )
        self._context = context
        self._authenticator = authenticator
        self.quotas = quotas
        self._spool = spool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request; errors have GraphQL's format."""
        if scope["type"] == "websocket":
            await self.run(WebSocket(scope, receive, send))
            return
        request = Request(scope, receive)
        with self._spool.share() as request.state.spool:
            try:
                response = await self._response(request)
                # Clients can stream any operation, and a streamed response only reads the upload now.
                if response is not None:
                    await response(scope, receive, send)
            finally:
                await request.close()  # Strawberry leaves the uploaded file open

    async def _response(self, request: Request) -> Response | None:
        """Return the response to a request; None if the client has disconnected."""
        try:
            return await self._respond(request)
        except ClientDisconnect:
            return None
        except RefusedRequestError as error:
            return error.response()
        except HTTPException as error:
            return graphql_error(Code.BAD_REQUEST, error.reason)  # Strawberry only raises it for this
        except OSError as error:
            if not is_disk_full(error):
                raise
            return graphql_error(Code.INSUFFICIENT_STORAGE)

    async def _respond(self, request: Request) -> Response:
        sent = await read_ordinary(request)
        if sent is not None:
            return await self._answer(request, sent)
        check_head(request)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": ALLOW})
        if media_type(request) == MULTIPART:
            check_upload(request)
        response = await self.run(request)
        if request.method == "POST" or isinstance(response, StreamingResponse):
            return response
        return unless_known(response, request.headers.get("if-none-match", ""))

    async def _answer(self, request: Request, sent: GraphQLRequestData) -> Response:
        context = await self.get_context(request, None)
        adapter = self.request_adapter_class(request)
        result = await self.execute_single(request, adapter, _NOTHING_YET, context, None, sent)
        data = await self.process_result(request, result) if result.errors else {"data": result.data}
        return answer(data, accepted_type(request.headers.get("accept", "")))

    def should_render_graphql_ide(self, request: object) -> bool:
        """Return False: the pages are served elsewhere."""
        del request
        return False

    async def get_context(self, request: Request | WebSocket, response: object) -> Any:
        """Return the context of a request."""
        context = self._context(getattr(request.state, "caller", NOBODY))
        context.connection = request
        return context

    async def on_ws_connect(self, context: Any) -> Any:
        """Authenticate a client by the first message, if it sent no headers.

        Raises:
            ConnectionRejectionError: the credentials are missing or wrong.
            RefusedRequestError: the client has too many WebSockets.
        """
        if context.caller is NOBODY:
            sent = context.connection_params or {}
            try:
                context.caller = await self._authenticator.caller(
                    context.connection, sent.get(CLIENT_ID_HEADER), sent.get(CLIENT_SECRET_HEADER)
                )
            except (NotAuthenticatedError, TooManyAttemptsError):
                raise ConnectionRejectionError from None
        self.quotas.websockets.acquire(context.client_id)
        context.connection.state.is_counted = True  # until the handler shuts down
        return await super().on_ws_connect(context)

    def encode_json(self, data: object) -> str:
        """Encode data as JSON."""
        return encoded(data).decode()

    def decode_json(self, data: str | bytes) -> object:
        """Parse a WebSocket message.

        Raises:
            json.JSONDecodeError: the message is not JSON.
        """
        try:
            return read_json(data, "The message")
        except RefusedRequestError as error:
            raise json.JSONDecodeError(str(error), "", 0) from error

    def parse_json(self, data: str | bytes) -> dict[str, Any]:
        """Parse a request's body."""
        return read_body(data)

    def parse_query_params(self, params: Any) -> dict[str, Any]:
        """Return the URL parameters, which are already parsed."""
        return cast("dict[str, Any]", params)

    async def parse_http_body(
        self, request: AsyncHTTPRequestAdapter
    ) -> GraphQLRequestData | list[GraphQLRequestData]:
        """Read a request; an empty operation name means none."""
        data = await super().parse_http_body(request)
        if isinstance(data, GraphQLRequestData):
            data.operation_name = data.operation_name or None
        return data

    async def execute_single(  # noqa: PLR0913, PLR0917 - Strawberry's
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        sub_response: Response,
        context: Any,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        """Execute an operation with a single response, so not a subscription."""
        queries = {OperationType.QUERY}
        return await self.schema.execute(
            request_data.query,
            variable_values=request_data.variables,
            context_value=context,
            operation_name=request_data.operation_name,
            allowed_operation_types=queries
            if request_adapter.method == "GET"
            else queries | {OperationType.MUTATION},
        )

    async def parse_multipart(self, request: AsyncHTTPRequestAdapter) -> dict[str, str]:
        """Read a multipart request."""
        data = await request.get_form_data()
        operations = operations_with_file(cast("StarletteFormData", data.form))
        check_query(operations)
        return operations

    async def process_result(
        self, request: Request, result: ExecutionResult, strict: bool = False
    ) -> GraphQLHTTPResponse:
        """Remove `data` from the response if the request was not executed."""
        response = await super().process_result(request, result)
        without_data(cast("dict[str, Any]", response))
        return response

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        """Store the accepted media type for `create_response`."""
        sub_response = await super().get_sub_response(request)
        sub_response.media_type = accepted_type(request.headers.get("accept", ""))
        return sub_response

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        """Return the response in the accepted media type."""
        return answer(response_data, sub_response.media_type or JSON)
