"""The shipped nginx.conf in a real nginx, with addresses of this machine."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.ports import free_port
from tests.support.programs import ROOT, make_certificate, on_path
from tests.support.waiting import eventually

A_RECORD = b"\x00\x01\x00\x01"


@contextmanager
def nginx(
    folder: Path, addresses: Sequence[str], port: int, *, connections: int = 256, https: int | None = None
) -> Iterator[str]:
    """Run nginx in front of replicas at `addresses`, all on `port`; yields its URL.

    Args:
        folder: its files.
        addresses: the replicas' addresses.
        port: the replicas' port.
        connections: the maximum per client address.
        https: a further port with TLS and a self-signed certificate.
    """
    program = on_path("nginx", "apt-get install nginx-light")
    with name_server(addresses) as names:
        own = free_port()
        text = (ROOT / "deploy/nginx/nginx.conf").read_text(encoding="utf-8")
        for shipped, here in (
            ("listen 8080;", f"listen 127.0.0.1:{own};"),
            ("resolver 127.0.0.11 ", f"resolver 127.0.0.1:{names} "),
            ("http://$api:8000;", f"http://$api:{port};"),
            (" /tmp/nginx", f" {folder}/nginx"),
            ("limit_conn address 256;", f"limit_conn address {connections};"),
        ):
            assert shipped in text
            text = text.replace(shipped, here)
        (folder / "nginx.conf").write_text(text, encoding="utf-8")
        if https is not None:
            _certify(folder, https)
        with (folder / "nginx.log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [program, "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"], stderr=log
            )
        try:
            url = f"http://127.0.0.1:{own}"
            eventually(lambda: _is_up(url, process, folder / "nginx.log"), "nginx is up")
            yield url
        finally:
            process.terminate()
            process.wait()


def _certify(folder: Path, port: int) -> None:
    """Configure TLS as in the example."""
    tls = folder / "tls"
    tls.mkdir()
    text = (ROOT / "deploy/nginx/tls.conf.example").read_text(encoding="utf-8")
    assert "listen 8443 " in text
    (tls / "tls.conf").write_text(text.replace("listen 8443 ", f"listen 127.0.0.1:{port} "), encoding="utf-8")
    make_certificate(tls)


def _is_up(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text(encoding="utf-8")
    return httpx.get(f"{url}/livez").status_code in {200, 308}


@contextmanager
def name_server(addresses: Sequence[str]) -> Iterator[int]:
    """Run a name server that returns `addresses` for every name, like Docker's for a service's replicas.

    Yields its UDP port of 127.0.0.1.
    """
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
    answers = addresses if question.endswith(A_RECORD) else ()
    header = message[:2] + b"\x81\x80" + b"\x00\x01" + len(answers).to_bytes(2, "big") + bytes(4)
    records = [
        b"\xc0\x0c" + A_RECORD + (1).to_bytes(4, "big") + b"\x00\x04" + socket.inet_aton(address)
        for address in answers
    ]
    return header + question + b"".join(records)
