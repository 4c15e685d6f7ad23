"""Stop a child process when this process ends, even by SIGKILL."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def stop_with_parent(signal_number: signal.Signals) -> Callable[[], None] | None:
    """Return a `preexec_fn` that ties a child to this process; None except on Linux.

    The kernel sends the child `signal_number` when the *thread* that forked it ends, so fork from a
    thread that lives as long as the process. Changing the user clears the request; `subprocess` calls
    `preexec_fn` after that.

    A launcher program instead would have to read our code as a user who may not have access to it, and
    not every machine has `setpriv --pdeathsig`.
    """
    if sys.platform != "linux":
        return None
    # Load the library before the fork: in the child, it could deadlock on a lock of a lost thread.
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, int(signal_number))
        if os.getppid() != parent:  # the parent already ended
            os._exit(1)

    return ask


class Watchdog:
    """A shell that interrupts another process when this one ends, for systems other than Linux.

    It waits for the end of a pipe that this process holds open. A forked child without exec also holds
    the pipe, which delays the interrupt.
    """

    def __init__(self, pid: int) -> None:
        """Start to watch for a process."""
        self._shell = subprocess.Popen(  # noqa: S603  (fixed command)
            ["/bin/sh", "-c", 'read -r _; kill -INT "$1"', "sh", str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # Ctrl-C in a terminal must not stop it before this process
        )

    def dismiss(self) -> None:
        """Stop watching. Call this before the process ends, since its id may be reused."""
        self._shell.kill()
        self._shell.communicate()
