"""The tables of a site in Datasette itself, run by `make test-engines`."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from registry.cli import main
from registry.load.source import open_source
from registry.pipeline import build
from registry.site import Site
from tests.exchange.conftest import FULL
from tests.support.exchange_programs import exchange_program
from tests.support.nginx import answering, free_port
from tests.support.repo import RepoBuilder
from tests.support.served import get

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Datasette with the database and the metadata of a site."""
    program = exchange_program("datasette")
    folder = tmp_path_factory.mktemp("datasette")
    repo = RepoBuilder(folder / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\ntitle: Rain\ntables: [sqlite]\n")
    repo.define("app", kind="application")
    repo.define("weather/forecast", FULL)
    repo.define("small")
    repo.commit("Add definitions")
    assert main(["index", "-C", str(repo.root)]) == 0
    site = folder / "site"
    assert build(open_source(repo.root), Site(site)).files
    port = free_port()
    files = [str(site / "registry.sqlite"), "--metadata", str(site / "datasette.yaml")]
    command = [program, "serve", "--port", str(port), "--immutable", *files]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    with answering(process, port) as found:
        yield found


def answer(address: str, path: str) -> Any:
    return json.loads(get(f"{address}/registry/{path}"))


def test_it_searches_definitions(address: str) -> None:
    rows = answer(address, "definition.json?_search=forecast&_shape=array")
    assert [one["name"] for one in rows] == ["weather/forecast"]
    page = get(f"{address}/registry/definition?_search=forecast").decode()
    assert "weather/forecast" in page and "small" not in page.partition("<table")[2]


def test_it_counts_facets(address: str) -> None:
    facets = answer(address, "definition.json")["facet_results"]
    counts = {one["value"]: one["count"] for one in facets["kind"]["results"]}
    assert counts == {"process_definition": 2, "application": 1}
    page = get(f"{address}/registry/field").decode()
    assert 'data-column="value"' in page and "facet-info-name" in page


def test_it_shows_titles_columns_and_queries(address: str) -> None:
    assert "<h1>Rain</h1>" in get(f"{address}/").decode()
    page = get(f"{address}/registry/definition").decode()
    assert "unique in its kind; NULL before one is assigned" in page
    assert answer(address, "by_application.json?_shape=array") == [{"value": "app", "count(*)": 1}]
