"""The contract on a fresh registry, below a base path, and beside many definitions."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE_S
from tests.support.writing import LIST, WriteServer, new_bare_registry, new_users, registry_of, write_server
from tests.writes.http.battery import Place, run_battery

BASE = "https://registry.example.org/below/a/path"
# Three segments of the ledger.
MANY = 300


@pytest.fixture(scope="module", params=["fresh", "below a path", "many definitions"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[WriteServer, Place]]:
    folder = tmp_path_factory.mktemp("contract")
    is_below = request.param == "below a path"
    settings = "rules: {R001: warning}\n" + (f"base_url: {BASE}/\n" if is_below else "")
    if request.param == "many definitions":
        bare = registry_of(folder, MANY, settings)
    else:
        bare = new_bare_registry(folder, settings)
    with write_server(bare, new_users(folder)) as server:
        path, base = ("/below/a/path", "https://registry.example.org") if is_below else ("", "")
        yield server, Place(server.client(), path + LIST, base)


def test_the_contract_holds(place: tuple[WriteServer, Place], tmp_path: Path) -> None:
    server, there = place
    run_battery(there)
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "-q", "--no-local", str(server.repository), str(clone)],
        check=True,
        timeout=PATIENCE_S,
    )
    for words in (["check"], ["ids", "verify"]):
        command = [sys.executable, "-m", "registry", *words, "-C", str(clone)]
        found = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert found.returncode == 0, found.stdout + found.stderr
    assert not re.search(r"bug:| 5\d\d ", server.log.read_text())
