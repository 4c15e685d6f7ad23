"""A name server that returns the same addresses for every name, like Docker's for a service's replicas."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

A_RECORD = b"\x00\x01\x00\x01"


@contextmanager
def name_server(addresses: Sequence[str]) -> Iterator[int]:
    """Respond with the current `addresses` on a UDP port of 127.0.0.1; yields the port."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=_serve, args=(server, addresses))
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", server.getsockname())
        thread.join()
        server.close()


def _serve(server: socket.socket, addresses: Sequence[str]) -> None:
    while True:
        question, client = server.recvfrom(2048)
        if not question:
            return
        server.sendto(_answer(question, addresses), client)


def _answer(message: bytes, addresses: Sequence[str]) -> bytes:
    end = message.index(b"\x00", 12) + 5
    question = message[12:end]
    found = addresses if question.endswith(A_RECORD) else ()
    header = message[:2] + b"\x81\x80" + b"\x00\x01" + len(found).to_bytes(2, "big") + bytes(4)
    records = [
        b"\xc0\x0c" + A_RECORD + (1).to_bytes(4, "big") + b"\x00\x04" + socket.inet_aton(address)
        for address in found
    ]
    return header + question + b"".join(records)
