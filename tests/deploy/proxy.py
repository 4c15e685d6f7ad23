"""The shipped nginx.conf on a real nginx, with addresses of this machine."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.deploy.names import name_server
from tests.deploy.replica import ROOT
from tests.ports import free_port


@contextmanager
def nginx(folder: Path, addresses: Sequence[str], port: int) -> Iterator[str]:
    """Run nginx before replicas at `addresses`, all on `port`, and give its URL."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("nginx is not installed: apt-get install nginx-light")
    with name_server(addresses) as names:
        own = free_port()
        text = (ROOT / "deploy/nginx/nginx.conf").read_text(encoding="utf-8")
        for shipped, here in (
            ("listen 8080;", f"listen 127.0.0.1:{own};"),
            ("resolver 127.0.0.11 ", f"resolver 127.0.0.1:{names} "),
            ("http://$api:8000;", f"http://$api:{port};"),
            (" /tmp/nginx", f" {folder}/nginx"),
        ):
            assert shipped in text
            text = text.replace(shipped, here)
        (folder / "nginx.conf").write_text(text, encoding="utf-8")
        with (folder / "nginx.log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [program, "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"], stderr=log
            )
        try:
            _wait(f"http://127.0.0.1:{own}/livez", process, folder / "nginx.log")
            yield f"http://127.0.0.1:{own}"
        finally:
            process.terminate()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(100):
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text(encoding="utf-8"))
