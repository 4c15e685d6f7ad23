"""The shipped nginx.conf in a real nginx, with addresses of this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.name_server import name_server
from tests.support.ports import free_port
from tests.support.programs import on_path
from tests.support.replica import ROOT
from tests.support.waiting import eventually


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
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"),
            *("-keyout", tls / "key.pem", "-out", tls / "certificate.pem"),
        ],
        capture_output=True,
        check=True,
    )


def _is_up(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text(encoding="utf-8")
    return httpx.get(f"{url}/livez").status_code in {200, 308}
