"""`registry serve` shows the files as they are: after an edit, with a mistake, and when it is mended."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from tests.conftest import Run
from tests.support.nginx import free_port, wait_for
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S
from tests.support.waiting import eventually as wait_until


@pytest.fixture
def served(repo: RepoBuilder) -> Iterator[tuple[RepoBuilder, str, "subprocess.Popen[bytes]"]]:
    repo.define("a")
    repo.commit()
    port = free_port()
    log = repo.root.parent / "serve.log"
    with log.open("wb") as file:
        command = [sys.executable, "-m", "registry", "serve", "-C", str(repo.root), "--port", str(port)]
        process = subprocess.Popen(command, stdout=file, stderr=file, env={"PATH": os.environ["PATH"]})
    try:
        wait_for(port, process)
        yield repo, f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait(PATIENCE_S)


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


def eventually(address: str, text: str) -> None:
    """Reload until `text` is there, as a person would."""
    wait_until(lambda: text in get(address), repr(text))


def test_an_edit_is_shown_a_mistake_keeps_the_last_good_site_and_mending_it_goes_on(
    served: tuple[RepoBuilder, str, "subprocess.Popen[bytes]"],
) -> None:
    repo, address, process = served
    eventually(f"{address}/process_definition/a/", "/bin/a")
    path = repo.define("a", "title: A\nowners: [t]\ndefinition: {exec: /bin/edited}\n")
    eventually(f"{address}/process_definition/a/", "/bin/edited")
    eventually(f"{address}/", "uncommitted")
    path.write_text("title: [\n")
    log = repo.root.parent / "serve.log"
    wait_until(lambda: bool(get(address)) and "a.yaml:2:1: error Y001" in log.read_text(), "the finding")
    assert "/bin/edited" in get(f"{address}/process_definition/a/")
    path.write_text("title: A\nowners: [t]\ndefinition: {exec: /bin/mended}\n")
    eventually(f"{address}/process_definition/a/", "/bin/mended")
    repo.commit("mend it")
    eventually(f"{address}/process_definition/a/", "mend it")
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) in (0, 130, -signal.SIGINT)
    assert "Traceback" not in log.read_text()


def test_a_broken_template_is_told_and_the_last_good_site_stays(
    served: tuple[RepoBuilder, str, "subprocess.Popen[bytes]"],
) -> None:
    repo, address, _ = served
    eventually(f"{address}/process_definition/a/", "/bin/a")
    template = repo.write("site_templates/definition.html", "{% if %}")
    log = repo.root.parent / "serve.log"
    page = f"{address}/process_definition/a/"
    wait_until(lambda: "error: site_templates/definition.html:1:" in log.read_text(), "the error")
    assert "/bin/a" in get(page)
    template.write_text("Ours: {{ page.name }}")
    eventually(f"{address}/process_definition/a/", "Ours: a")


def test_a_port_in_use_is_one_clear_line(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        outcome = run("serve", "-C", str(repo.root), "--port", str(taken.getsockname()[1]))
    assert outcome.code == 2
    assert "cannot listen on" in outcome.err
