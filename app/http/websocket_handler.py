"""Strawberry's graphql-transport-ws, with limits on what a client holds open, and proof against any text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from graphql import GraphQLError
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)

from app.http.client_limits import TOO_MANY_SUBSCRIPTIONS, too_many
from app.http.query_length import MAX_QUERY_LENGTH, QUERY_TOO_LONG

if TYPE_CHECKING:
    from app.http.graphql_view import GraphQLView

TOO_MANY_CONNECTIONS: Final = 4429
"""The close code for a client with too many WebSockets."""

MAX_REASON_BYTES: Final = 120
"""A WebSocket's reason to close holds 123 bytes; a longer one is an error of ours."""


class TooManyConnectionsError(Exception):
    """A client has as many WebSockets as it may have."""


class WebSocketHandler(BaseGraphQLTransportWSHandler[Any, None]):
    """Serves one WebSocket."""

    _counted_for: str | None = None

    @property
    def _view(self) -> GraphQLView:
        return cast("GraphQLView", self.view)

    async def handle_message(self, message: Message) -> None:
        """Answer a message; one that makes no sense ends the connection."""
        try:
            await super().handle_message(message)
        except (TypeError, AttributeError):  # JSON, but of no such shape
            await self.handle_invalid_message("Failed to parse message")

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Greet a client that may come in, unless it has come in too often."""
        try:
            await super().handle_connection_init(message)
        except TooManyConnectionsError:
            await self.websocket.close(TOO_MANY_CONNECTIONS, "Too many connections")
        finally:
            if self.connection_acknowledged and self._counted_for is None:
                self._counted_for = self.context.client_id
                self._view.quotas.websockets.take(self.context.client_id)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Start an operation, unless the client has as many under way as it may have."""
        if not self.connection_acknowledged or message["id"] in self.operations:
            await super().handle_subscribe(message)
            return
        payload: Any = message["payload"]
        if not (
            isinstance(message["id"], str)
            and isinstance(payload["query"], str)
            and isinstance(payload.get("variables"), dict | None)
            and isinstance(payload.get("operationName"), str | None)
        ):
            raise TypeError
        if len(payload["query"]) > MAX_QUERY_LENGTH:
            await self._refuse(message["id"], QUERY_TOO_LONG, "BAD_REQUEST")
            return
        client_id, quota = self.context.client_id, self._view.quotas.subscriptions
        if not quota.take(client_id):
            await self._refuse(message["id"], too_many("subscriptions", quota.limit), TOO_MANY_SUBSCRIPTIONS)
            return
        await super().handle_subscribe(message)
        task = self.operations[message["id"]].task
        assert task is not None  # nothing can have ended it between
        task.add_done_callback(lambda _: quota.give_back(client_id))

    async def _refuse(self, operation_id: str, reason: str, code: str) -> None:
        error = GraphQLError(reason, extensions={"code": code})
        await self.send_message({"id": operation_id, "type": "error", "payload": [error.formatted]})

    async def shutdown(self) -> None:
        """End what is open."""
        try:
            await super().shutdown()
        finally:
            if self._counted_for is not None:
                self._view.quotas.websockets.give_back(self._counted_for)
                self._counted_for = None

    async def handle_invalid_message(self, error_message: str) -> None:
        """Close the connection for a message that makes no sense."""
        await super().handle_invalid_message(_fitting(error_message))

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        reason = BaseGraphQLTransportWSHandler._get_pre_execution_close_reason(error)  # noqa: SLF001
        return None if reason is None else _fitting(reason)


def _fitting(reason: str) -> str:
    return reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
