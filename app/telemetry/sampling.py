"""Which traces there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

_BEGINNINGS: Final = (SpanKind.SERVER, SpanKind.CONSUMER)


class RequestsAndJobs(Sampler):
    """Samples a share of the requests and jobs, and nothing else, as the queue's polling."""

    def __init__(self, share: float) -> None:
        """Make it.

        Args:
            share: from 0 to 1.
        """
        self._share = TraceIdRatioBased(share)

    def should_sample(  # noqa: PLR0913, PLR0917 - OpenTelemetry's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide on a span that has no parent."""
        sampler: Sampler = self._share if kind in _BEGINNINGS else ALWAYS_OFF
        return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """Describe it."""
        return f"requests and jobs, {self._share.get_description()}"
