"""Strawberry's graphql-transport-ws handler, with limits per client and robust parsing."""

from __future__ import annotations

from typing import Any, Final, cast

from graphql import GraphQLError
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)

from app.http.limits import ClientQuotas
from app.http.requests import check_query
from app.http.responses import RefusedRequestError

TOO_MANY_CONNECTIONS: Final = 4429
"""Close code for a client with too many WebSockets."""

SUBSCRIBE_FORM: Final = 'A subscribe message needs an "id" and a "payload" with a "query".'

MAX_REASON_BYTES: Final = 120
"""Maximum bytes of a WebSocket's close reason."""


class WebSocketHandler(BaseGraphQLTransportWSHandler[Any, None]):
    """Handles one WebSocket."""

    @property
    def _quotas(self) -> ClientQuotas:
        return cast("Any", self.view).quotas  # type: ignore[no-any-return]

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
        client_id, quota = self.context.client_id, self._quotas.subscriptions
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
                self._quotas.websockets.release(self.context.client_id)

    async def handle_invalid_message(self, error_message: str) -> None:
        """Close the connection because of an invalid message."""
        await super().handle_invalid_message(
            error_message.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
        )

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
