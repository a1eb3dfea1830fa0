"""A registry served by the real command."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.nginx import free_port, wait_for
from tests.support.waiting import PATIENCE_S, eventually

__all__ = ["eventually", "get", "served"]


@contextmanager
def served(root: Path, *options: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Its address, and the process. What it says is in `serve.log` beside the registry."""
    port = free_port()
    with (root.parent / "serve.log").open("wb") as log:
        command = [sys.executable, "-m", "registry", "serve", "-C", str(root), "--port", str(port), *options]
        process = subprocess.Popen(command, stdout=log, stderr=log, env={"PATH": os.environ["PATH"]})
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def get(address: str) -> bytes:
    """The body at an address."""
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
        body: bytes = answer.read()
        return body
