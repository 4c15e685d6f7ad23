"""The GraphQL endpoint: Strawberry's view of HTTP and WebSockets, adapted to the specifications."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, cast

from graphql import GraphQLError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry import Schema
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http import GraphQLHTTPResponse
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)
from strawberry.types import ExecutionResult, SubscriptionExecutionResult
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
    read_url,
    stream_for,
)
from app.http.responses import RefusedRequestError, graphql_response, to_json, with_etag
from app.http.uploads import Spool, operations_with_file, read_form
from app.observability.tracing import step

CONNECTION_INIT_TIMEOUT = timedelta(seconds=10)
"""How long a WebSocket may stay open without authentication."""

TOO_MANY_CONNECTIONS: Final = 4429
"""Close code for a client with too many WebSockets."""

SUBSCRIBE_FORM: Final = 'A subscribe message needs an "id" and a "payload" with a "query".'

_MAX_REASON_BYTES: Final = 120
"""Maximum bytes of a WebSocket's close reason."""


class WebSocketHandler(BaseGraphQLTransportWSHandler[Any, None]):
    """Strawberry's handler of one WebSocket, with limits per client and robust parsing."""

    view: GraphQLView

    async def handle_message(self, message: Message) -> None:
        """Handle a message; an invalid one closes the connection."""
        try:
            await super().handle_message(message)
        except (TypeError, AttributeError):  # JSON of the wrong shape
            await self.handle_invalid_message("Failed to parse message")

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Acknowledge an authenticated client below its limit; the payload may be null."""
        if message.get("payload", {}) is None:
            message = {"type": "connection_init"}
        try:
            await super().handle_connection_init(message)
        except RefusedRequestError:  # from the view's `on_ws_connect`
            await self.websocket.close(TOO_MANY_CONNECTIONS, "Too many connections")

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Start an operation, unless the client has reached its limit."""
        if not self.connection_acknowledged:
            await super().handle_subscribe(message)
            return
        id_, payload = message.get("id"), cast("Any", message.get("payload"))
        if not _is_operation(id_, payload):
            await self.handle_invalid_message(SUBSCRIBE_FORM)
            return
        if id_ in self.operations:
            await super().handle_subscribe(message)
            return
        client_id, quota = self.context.client_id, self.view.quotas.subscriptions
        try:
            check_query(payload)
            quota.acquire(client_id)
        except RefusedRequestError as refused:
            error = GraphQLError(str(refused), extensions={"code": refused.code})
            await self.send_message({"id": id_, "type": "error", "payload": [error.formatted]})
            return
        payload["operationName"] = payload.get("operationName") or None
        await super().handle_subscribe(message)
        task = self.operations[id_].task
        assert task is not None  # it cannot have ended yet
        task.add_done_callback(lambda _: quota.release(client_id))

    async def shutdown(self) -> None:
        """End all operations, and release the client's quota."""
        try:
            await super().shutdown()
        finally:
            if getattr(self.context.connection.state, "is_counted", False):  # by the view's `on_ws_connect`
                self.context.connection.state.is_counted = False
                self.view.quotas.websockets.release(self.context.client_id)

    async def handle_invalid_message(self, error_message: str) -> None:
        """Close the connection because of an invalid message."""
        reason = error_message.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        await super().handle_invalid_message(reason)

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        del error  # an invalid document must only end its own operation
        return None


def _is_operation(id_: object, payload: object) -> bool:
    """Return whether a subscribe message is well-formed."""
    return (
        isinstance(id_, str)
        and isinstance(payload, dict)
        and bool(payload.keys() & {"query", "extensions", "documentId"})
        and isinstance(payload.get("query"), str | None)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )


class GraphQLView(GraphQL[Any, None]):
    """Serves a schema at one path, by GET and POST."""

    graphql_transport_ws_handler_class = WebSocketHandler

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
        """Initialize the view; pages of `allowed_origins` may open WebSockets."""
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
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
        except OSError as error:
            if not is_disk_full(error):
                raise
            raise RefusedRequestError(Code.INSUFFICIENT_STORAGE) from error

    async def _respond(self, request: Request) -> Response:
        check_head(request)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": ALLOW})
        sent = await self._read(request)
        check_query(sent)
        accept = request.headers.get("accept", "")
        transport = stream_for(accept)
        allowed = {OperationType.QUERY}
        if request.method == "POST":
            allowed.add(OperationType.MUTATION)
        if transport is not None:
            allowed.add(OperationType.SUBSCRIPTION)
        execute = self.schema.execute if transport is None else self.schema.stream
        result = await execute(
            sent["query"],
            variable_values=sent.get("variables"),
            context_value=await self.get_context(request, None),
            operation_name=sent.get("operationName") or None,
            allowed_operation_types=allowed,
        )
        if transport is not None:
            stream = self._stream_result(request, cast("SubscriptionExecutionResult", result), transport)
            return StreamingResponse(stream(), headers=transport.headers)
        assert isinstance(result, ExecutionResult)
        data = await self.process_result(request, result) if result.errors else {"data": result.data}
        response = graphql_response(data, accept)
        if request.method == "POST":
            return response
        return with_etag(response, request.headers.get("if-none-match", ""))

    async def _read(self, request: Request) -> dict[str, Any]:
        """Return what the URL or the body asks for."""
        if request.method in {"GET", "HEAD"}:
            return read_url(request.scope["query_string"])
        if media_type(request) == MULTIPART:
            check_upload(request)
            with step("upload"):
                form = await read_form(request)
            return operations_with_file(form)
        return read_body(await request.body())

    async def get_context(self, request: Request | WebSocket, response: object) -> Any:
        """Return the context of a request."""
        context = self._context(getattr(request.state, "caller", NOBODY))
        context.connection = request
        return context

    async def on_ws_connect(self, context: Any) -> Any:
        """Authenticate a client by the first message, as browsers cannot send headers.

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
        return to_json(data).decode()

    def decode_json(self, data: str | bytes) -> object:
        """Parse a WebSocket message.

        Raises:
            json.JSONDecodeError: the message is not JSON.
        """
        try:
            return read_json(data, "The message")
        except RefusedRequestError as error:
            raise json.JSONDecodeError(str(error), "", 0) from error

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """Remove `data` from the response if the request was not executed."""
        response = await super().process_result(request, result)
        if result.data is None and not any(error.path for error in result.errors or ()):
            response.pop("data")
        return response
