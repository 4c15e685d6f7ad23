"""Ports for the programs that tests start."""

from __future__ import annotations

import os
import socket
from itertools import cycle

_FIRST = 10_000
_OF_EACH_PROCESS = 2_000
"""All below 32,768, where Linux's ports for outgoing connections begin."""


def _own_ports() -> cycle[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST + worker % 10 * _OF_EACH_PROCESS
    begin = os.getpid() % _OF_EACH_PROCESS
    return cycle([*range(first + begin, first + _OF_EACH_PROCESS), *range(first, first + begin)])


_PORTS = _own_ports()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a free port that no other test takes before the program that is started with it.

    Each process of pytest has its own ports and does not reuse them soon.
    """
    while True:
        port = next(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
        return port
