"""The shipped nginx.conf on a real nginx, with addresses of this machine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.deploy.names import name_server
from tests.deploy.replica import ROOT
from tests.ports import free_port
from tests.waiting import eventually


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
            url = f"http://127.0.0.1:{own}"
            eventually(lambda: _is_up(url, process, folder / "nginx.log"), "nginx is up")
            yield url
        finally:
            process.terminate()
            process.wait()


def _is_up(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text(encoding="utf-8")
    return httpx.get(f"{url}/livez").status_code == 200
