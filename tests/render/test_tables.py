"""The setting `tables`: SQLite with full-text search and Parquet beside the site, compared by content."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from registry.cache.build_cache import BuildCache
from registry.cache.cache_file import CacheFile
from registry.cli import extras
from registry.exchange.sql.tables import EXAMPLE_QUERIES, METADATA
from registry.load import yaml
from registry.load.source import open_source
from registry.model.http_headers import headers_of
from registry.pipeline import build
from registry.server.live import LiveRegistry
from registry.site import Site
from tests.conftest import Run
from tests.exchange.conftest import FULL
from tests.exchange.test_sql import everything, export
from tests.site.test_incremental import tree
from tests.support.repo import RepoBuilder

FILES = {"registry.sqlite", "registry.parquet", "datasette.yaml"}
SECRET = "ghp_" + "a1B2" * 9


@pytest.fixture
def registry(repo: RepoBuilder, run: Run) -> RepoBuilder:
    repo.write("registry.yaml", "registry_id: registry-1\ntitle: Rain\ntables: [sqlite, parquet]\n")
    repo.define("app", kind="application")
    repo.define("weather/forecast", FULL.replace("Rain of", "Précipitation of"))
    repo.define("small")
    repo.define("removed")
    repo.commit("Add definitions")
    assert run("index", "-C", str(repo.root)).code == 0
    (repo.root / "definitions/process_definition/removed.yaml").unlink()
    repo.commit("Remove one")
    return repo


def build_site(repo: RepoBuilder, name: str = "site", cache: BuildCache | None = None) -> Path:
    site = repo.root.parent / name
    assert build(open_source(repo.root), Site(site), cache=cache).files
    return site


def found_by(file: Path, words: str) -> list[str]:
    query = "SELECT name FROM definition WHERE rowid IN (SELECT rowid FROM definition_fts(?)) ORDER BY name"
    with closing(sqlite3.connect(file)) as connection:
        return [name for (name,) in connection.execute(query, [words])]


def assert_index_is_complete(file: Path) -> None:
    """Compare the index for full-text search with the definitions. SQLite raises an error for a difference."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO definition_fts(definition_fts, rank) VALUES ('integrity-check', 1)")


def parquet(site: Path) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT * FROM '{site}/registry.parquet' ORDER BY kind, name")
        names = [column[0] for column in rows.description or ()]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def test_the_database_has_the_rows_of_an_export(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    site = build_site(registry)
    export(run, registry, tmp_path / "r.sqlite")
    found = everything(site / "registry.sqlite")
    assert found == everything(tmp_path / "r.sqlite")
    assert len(found["definition"]) == 3 and len(found["deleted_definition"]) == 1


def test_the_database_finds_words_without_accents_and_case(registry: RepoBuilder) -> None:
    file = build_site(registry) / "registry.sqlite"
    assert found_by(file, "precipitation") == ["weather/forecast"]
    assert found_by(file, "SMALL") == ["app", "small"], "one needs a small machine"
    assert found_by(file, "days AND forecast") == ["weather/forecast"]
    assert_index_is_complete(file)
    with closing(sqlite3.connect(file)) as connection:
        for one in EXAMPLE_QUERIES:
            connection.execute(one.sql).fetchall()


def test_parquet_has_a_row_for_each_definition_with_the_types_of_the_documentation(
    registry: RepoBuilder,
) -> None:
    site = build_site(registry)
    one = parquet(site)[-1]
    assert (one["kind"], one["name"], one["id"], one["title"]) == (
        *("process_definition", "weather/forecast", 3),
        "Forecast",
    )
    assert one["argv"] == ["--days", "3", "", "naïve \u2028"]
    assert one["environment"] == {"ZONE": "UTC", "A": "1"}
    assert (one["owners"], one["tags"]) == (["weather", "ops"], ["b", "a"])
    assert one["fields"]["application"] == "app"
    assert json.loads(one["adapters"])[1] == {
        "direction": "output",
        "type": "file",
        "parameters": {"file_path": "/tmp/out"},
    }
    assert json.loads(one["document"])["definition"]["exec"] == one["executable"] == "/opt/forecast"
    assert (one["author"], one["revision"]) == ("Process Registry", 2)
    assert str(one["changed"]).startswith("20")
    with duckdb.connect() as connection:
        columns = connection.execute(f"DESCRIBE SELECT * FROM '{site}/registry.parquet'").fetchall()
    documented = (Path(__file__).parents[2] / "docs/sql.md").read_text().partition("### Parquet")[2]
    assert [f"| `{name}` | {type_} |" for name, type_, *_ in columns] == [
        line for line in documented.splitlines() if line.startswith("| `")
    ]


def test_credentials_are_hidden(registry: RepoBuilder) -> None:
    kept = (registry.root / "registry.yaml").read_text()
    registry.write("registry.yaml", f"{kept}rules: {{X001: warning}}\n")
    registry.define(
        "secret", f"title: S\nowners: [t]\ndefinition: {{exec: /bin/s, environment: {{TOKEN: {SECRET}}}}}\n"
    )
    site = build_site(registry)
    assert SECRET.encode() not in (site / "registry.sqlite").read_bytes()
    row = next(one for one in parquet(site) if one["name"] == "secret")
    assert row["environment"] == {"TOKEN": "[hidden]"} and SECRET not in str(row)


def test_a_build_after_a_change_equals_a_full_one(registry: RepoBuilder) -> None:
    cache = BuildCache(CacheFile(registry.root))
    build_site(registry, cache=cache)
    registry.define("weather/forecast", FULL.replace("UTC", "CET").replace("Rain", "Storm"))
    registry.define("another")
    (registry.root / "definitions/process_definition/small.yaml").unlink()
    registry.commit("Change one, add one, remove one")
    for repeated in range(2):
        site, full = build_site(registry, cache=cache), build_site(registry, f"full{repeated}")
        assert everything(site / "registry.sqlite") == everything(full / "registry.sqlite")
        assert parquet(site) == parquet(full)
        assert_index_is_complete(site / "registry.sqlite")
        for words in ("storm", "rain", "precipitation", "another", "small"):
            assert found_by(site / "registry.sqlite", words) == found_by(full / "registry.sqlite", words)
        assert found_by(site / "registry.sqlite", "storm") == (["weather/forecast"], [])[repeated]
        registry.git("checkout", "-q", "HEAD~1")  # the database in the cache is of a later commit then


def test_only_a_change_writes_the_files_again(registry: RepoBuilder) -> None:
    cache = BuildCache(CacheFile(registry.root))
    site = build_site(registry, cache=cache)
    before = {name: (site / name).read_bytes() for name in FILES}
    kept = {name: (site / name).stat().st_ino for name in FILES}
    registry.write("README.md", "Not a part of the registry.\n")
    build_site(registry, cache=cache)
    assert {name: (site / name).stat().st_ino for name in FILES} == kept
    registry.commit("Another commit")
    build_site(registry, cache=cache)
    assert (site / "registry.sqlite").read_bytes() != before["registry.sqlite"], "it names the commit"
    assert (site / "registry.parquet").read_bytes() == before["registry.parquet"]


def test_the_metadata_names_tables_and_columns_that_exist(registry: RepoBuilder) -> None:
    site = build_site(registry)
    document, problems = yaml.load((site / "datasette.yaml").read_bytes(), "datasette.yaml")
    assert document is not None and problems == ()
    data: Any = document.data
    assert data["title"] == "Rain"
    tables = data["databases"]["registry"]["tables"]
    assert tables.keys() == METADATA.tables.keys()
    for name, about in tables.items():
        columns = METADATA.tables[name].columns.keys()
        assert {*about.get("columns", ()), *about.get("facets", ())} <= {*columns}


def test_other_sites_and_live_servers_have_none_of_the_files(registry: RepoBuilder) -> None:
    live = LiveRegistry(registry.root, BuildCache(), lambda _: None)
    live.reload()
    assert all(live.state.pages.get(name) is None for name in FILES)
    site = build_site(registry)
    assert tree(site).keys() >= FILES
    pages = [data for path, data in tree(site).items() if path.endswith(".html")]
    assert not any(name.encode() in page for name in FILES for page in pages)
    registry.write("registry.yaml", "registry_id: registry-1\ntables: [parquet]\n")
    assert FILES & tree(build_site(registry)).keys() == {"registry.parquet"}
    registry.write("registry.yaml", "registry_id: registry-1\n")
    assert FILES & tree(build_site(registry)).keys() == set()


@pytest.mark.parametrize("command", ["build", "watch"])
def test_without_the_extra_a_build_names_it(
    registry: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setitem(extras.EXTRAS, "tables", ("no_such_module",))
    done = run(command, "-C", str(registry.root))
    assert done.code == 2
    assert "needs the extra `tables` (missing: no_such_module)" in done.err
    assert not (registry.root / "site").exists()


def test_their_types_are_those_of_the_formats() -> None:
    assert headers_of("registry.sqlite")["Content-Type"] == "application/vnd.sqlite3"
    assert headers_of("registry.parquet")["Content-Type"] == "application/vnd.apache.parquet"
