"""Trying again what may work in a while: with growing, jittered pauses, or when the service says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import tenacity

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
LONGEST_ASKED_PAUSE_SECONDS = 300.0
"""No service makes a command wait longer at a time."""

Result = TypeVar("Result")


class TryAgainError(Exception):
    """An attempt failed; `retriable` says whether another may succeed, `after` in how many seconds."""

    def __init__(self, message: str, *, retriable: bool = False, after: float | None = None) -> None:
        super().__init__(message)
        self.retriable = retriable
        self.after = after


class Attempts:
    """Calls again what raises a retriable `TryAgainError`."""

    def __init__(self, retries: int, on_retry: Callable[[str, float], None]) -> None:
        """Note how.

        Args:
            retries: how many times at most, after the first.
            on_retry: is told why and in how many seconds, before each pause.
        """
        self._retries = retries
        self._on_retry = on_retry

    def of(self, call: Callable[[], Result]) -> Result:
        """Return what a call returns, in the end.

        Raises:
            TryAgainError: the last attempt failed too, or one failed for good.
        """
        return tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._retries + 1),
            wait=_pause,
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, TryAgainError) and error.retriable
            ),
            before_sleep=self._tell,
            reraise=True,
        )(call)

    def _tell(self, state: tenacity.RetryCallState) -> None:
        seconds = state.next_action.sleep if state.next_action else 0.0
        self._on_retry(str(_error(state)), float(seconds))


def seconds_until(retry_after: str) -> float | None:
    """Return what a Retry-After header asks for, in seconds; None if it cannot be read."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


_backoff = tenacity.wait_exponential_jitter(
    multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS, jitter=FIRST_PAUSE_SECONDS
)


def _pause(state: tenacity.RetryCallState) -> float:
    error = _error(state)
    asked = error.after if isinstance(error, TryAgainError) and error.after is not None else 0.0
    return max(_backoff(state), min(asked, LONGEST_ASKED_PAUSE_SECONDS))


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
