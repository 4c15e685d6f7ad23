"""Ending a child when this process ends, even by SIGKILL."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def stop_with_parent(signal_number: signal.Signals) -> Callable[[], None] | None:
    """Return what a forked child must call before it becomes another program; None off Linux.

    The system then sends the child `signal_number` when the *thread* that forked it ends, so fork
    from one that lives as long as the process. It must be called after the child has changed its
    user, which clears the request; `subprocess` does it in that order.

    It is meant for `preexec_fn`. A launcher program in its place would have to read our code after it
    became a user who may not enter our folder; `setpriv --pdeathsig` is not on every machine.
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


class Watchdog:
    """A shell that waits for this process to end and then interrupts another, for systems but Linux.

    It reads from a pipe that only we hold, which ends however we do. A process that we forked without
    exec holds it too, and delays it.
    """

    def __init__(self, pid: int) -> None:
        """Watch, on behalf of a process."""
        self._shell = subprocess.Popen(  # noqa: S603  (our own line of shell)
            ["/bin/sh", "-c", 'read -r _; kill -INT "$1"', "sh", str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # a terminal's Ctrl-C must not end it before us
        )

    def dismiss(self) -> None:
        """End the watch. Do so before the process watched over ends, whose number may be given anew."""
        self._shell.kill()
        self._shell.communicate()
