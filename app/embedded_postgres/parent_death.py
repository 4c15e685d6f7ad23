"""Ending a child when this process ends, even by SIGKILL."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def stop_with_parent(signal_number: signal.Signals) -> Callable[[], None] | None:
    """Return what a forked child must call before it becomes another program; None off Linux.

    The system then sends the child `signal_number` when the *thread* that forked it ends, so fork
    from one that lives as long as the process. It must be called after the child has changed its
    user, which clears the request; `subprocess` does it in that order.

    Elsewhere a server outlives a killed service; the next start stops it.
    """
    if sys.platform != "linux":
        return None
    # Loaded here: between fork and exec, loading a library could wait for a lock nobody holds any more.
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, int(signal_number))
        if os.getppid() != parent:  # it ended before we could ask
            os._exit(1)

    return ask
