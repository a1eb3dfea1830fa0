"""Tables in SQLite: their rows, exports of differences, and what is refused. Other databases: test_sql_engines."""

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from registry.exchange.sql.tables import METADATA
from tests.conftest import Run
from tests.exchange.conftest import FULL, index
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S, eventually


def export(run: Run, repo: RepoBuilder, file: Path, *words: str) -> Any:
    """Export as JSON; gives what was printed."""
    done = run(
        *["export", "--to", "sql", "--url", f"sqlite:///{file}", "-C", str(repo.root)],
        *["--format", "json", *words],
    )
    assert done.code == 0, done.err
    return json.loads(done.out)


def rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    """The rows that a query gives."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def everything(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    return {name: sorted(rows(file, f'SELECT * FROM "{name}"'), key=repr) for name in METADATA.tables}


def test_a_definition_is_in_the_tables_as_it_is_in_its_file(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "r.sqlite"
    assert export(run, registry, file)["definitions"] == 3
    of_it = "WHERE name = 'weather/forecast' ORDER BY position"
    assert rows(file, "SELECT id, title, executable FROM definition WHERE name = 'weather/forecast'") == [
        (2, "Forecast", "/opt/forecast")
    ]
    values = ["--days", "3", "", "naïve \u2028"]
    assert rows(file, f"SELECT position, value FROM argument {of_it}") == list(enumerate(values, 1))
    assert rows(file, f"SELECT variable, value FROM environment {of_it}") == [("ZONE", "UTC"), ("A", "1")]
    assert rows(file, f"SELECT direction, type, parameters FROM adapter {of_it}") == [
        ("input", "file", '{"file_type":"stream","stream_name":"STDIN"}'),
        ("output", "file", '{"file_path":"/tmp/out"}'),
    ]
    assert rows(file, f"SELECT owner FROM owner {of_it}") == [("weather",), ("ops",)]
    assert rows(file, f"SELECT tag FROM tag {of_it}") == [("b",), ("a",)]
    assert ("application", "app") in rows(file, f"SELECT field, value FROM field {of_it}")
    ((document,),) = rows(file, "SELECT document FROM definition WHERE name = 'weather/forecast'")
    assert list(json.loads(document)["definition"]["environment"]) == ["ZONE", "A"]
    revisions = rows(
        file, f"SELECT position, author, date, date_utc, message, name_then FROM revision {of_it}"
    )
    assert revisions[0] == (
        *(1, "Ana Autor", "2023-11-15T01:13:20+02:00", "2023-11-14 23:13:20.000000"),
        *("Add definitions", "weather/forecast"),
    )


def test_exports_of_differences_equal_an_export_into_an_empty_database(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "r.sqlite"
    export(run, registry, file)
    registry.define("weather/forecast", FULL.replace("UTC", "CET").replace("[b, a]", "[c]"))
    registry.define("another")
    registry.commit("Change one, add one")
    index(registry, run)
    assert export(run, registry, file)["written"] == 2
    registry.git(
        "mv", "definitions/process_definition/small.yaml", "definitions/process_definition/tiny.yaml"
    )
    registry.git("rm", "-q", "definitions/process_definition/another.yaml")
    registry.commit("Rename one, delete one")
    index(registry, run)
    done = export(run, registry, file)
    assert (done["definitions"], done["removed"]) == (3, 2)
    fresh = tmp_path / "fresh.sqlite"
    export(run, registry, fresh)
    assert everything(file) == everything(fresh)
    assert rows(file, "SELECT kind, name FROM deleted_definition") == [("process_definition", "another")]
    assert export(run, registry, file)["written"] == 0


def test_an_earlier_commit_is_refused(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "r.sqlite"
    registry.define("another")
    registry.commit()
    export(run, registry, file)
    before = everything(file)
    words = ["export", "--to", "sql", "--url", f"sqlite:///{file}", "-C", str(registry.root)]
    done = run(*words, "--source", "HEAD~1")
    assert (done.code, done.out) == (3, "")
    assert "which is not part of the history of" in done.err
    assert everything(file) == before


def test_another_registry_and_foreign_tables_are_refused(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "r.sqlite"
    export(run, registry, file)
    other = RepoBuilder(tmp_path / "other")
    other.define("a")
    other.commit()
    index(other, run)
    done = run("export", "--to", "sql", "--url", f"sqlite:///{file}", "-C", str(other.root))
    assert (done.code, "contains another registry" in done.err) == (3, True)
    foreign = tmp_path / "foreign.sqlite"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE definition (word TEXT)")
        connection.commit()
    done = run("export", "--to", "sql", "--url", f"sqlite:///{foreign}", "-C", str(registry.root))
    assert (done.code, "a table `definition` that is not of a registry" in done.err) == (3, True)
    assert rows(foreign, "SELECT name FROM sqlite_master") == [("definition",)]


def test_credentials_are_hidden_in_every_table(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
    registry.write(
        "registry.yaml", (registry.root / "registry.yaml").read_text() + "rules: {X001: warning}\n"
    )
    registry.define(
        "leak", f"title: Leak\nowners: [a]\ndefinition:\n  exec: /bin/x\n  environment: {{TOKEN: {secret}}}\n"
    )
    registry.commit()
    file = tmp_path / "r.sqlite"
    export(run, registry, file)
    assert rows(file, "SELECT value FROM environment WHERE name = 'leak'") == [("[hidden]",)]
    assert secret.encode() not in file.read_bytes()


def test_errors_in_definitions_keep_the_database(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "r.sqlite"
    export(run, registry, file)
    before = everything(file)
    registry.define("small", "title: [\n")
    done = run("export", "--to", "sql", "--url", f"sqlite:///{file}", "-C", str(registry.root))
    assert done.code == 1
    assert everything(file) == before


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "the URL names no file"),
        ("oracle://scott:tiger@db/x", "`oracle` is not a supported database"),
        ("not a url", "the URL of the database cannot be read"),
        ("postgresql://ann:s3cr3t-word@127.0.0.1:1", "the URL names no database"),
        ("postgresql://ann:s3cr3t-word@127.0.0.1:1/x", "postgresql database x on 127.0.0.1"),
        ("mysql://ann:s3cr3t-word@127.0.0.1:1/x", "mysql database x on 127.0.0.1"),
        ("sqlite:////does/not/exist.sqlite", "unable to open database file"),
    ],
)
def test_a_wrong_url_is_an_error_without_its_password(
    registry: RepoBuilder, run: Run, url: str, message: str
) -> None:
    done = run("export", "--to", "sql", "--url", url, "-C", str(registry.root))
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "s3cr3t-word" not in done.err


def test_a_bare_repository_is_read_at_its_head(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(registry.root), str(bare)], check=True)
    file = tmp_path / "r.sqlite"
    done = run("export", "--to", "sql", "--url", f"sqlite:///{file}", "-C", str(bare))
    assert done.code == 0, done.err
    assert rows(file, "SELECT commit_id FROM registry_state") == [(registry.git("rev-parse", "HEAD"),)]


def test_follow_exports_later_changes_until_ctrl_c(registry: RepoBuilder, tmp_path: Path) -> None:
    file = tmp_path / "r.sqlite"
    words = ["export", "--to", "sql", "--url", f"sqlite:///{file}", "--follow", "--poll", "0.1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "registry", *words, "-C", str(registry.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )

    def has(title: str) -> bool:
        try:
            return bool(rows(file, f"SELECT 1 FROM definition WHERE title = '{title}'"))
        except sqlite3.OperationalError:
            return False  # no tables yet, or locked at this moment

    try:
        eventually(lambda: has("Small"), "the first export")
        path = registry.define("small", "title: [\n")
        path.write_text("title: Larger\nowners: [team]\ndefinition:\n  exec: /bin/small\n  argv: []\n")
        eventually(lambda: has("Larger"), "the change")
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, output
    assert b"Traceback" not in output


def refused(run: Run, repo: RepoBuilder, file: Path) -> str:
    """The message of an export that is refused; the database stays as it is."""
    before = everything(file)
    done = run("export", "--to", "sql", "--url", f"sqlite:///{file}", "-C", str(repo.root))
    assert (done.code, done.out) == (3, ""), done.err
    assert everything(file) == before
    return done.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("schema_version = 2", "have version 2, not 1"),
        (f"commit_id = '{'1' * 40}'", "contains commit 111111111111, which is not part of the history"),
        ("ledger_lines = 9", "the ledger lacks lines"),
        (f"ledger_head = '{'1' * 64}'", "the ledger lacks lines"),
    ],
)
def test_a_database_of_another_state_is_refused(
    registry: RepoBuilder, run: Run, tmp_path: Path, change: str, message: str
) -> None:
    file = tmp_path / "r.sqlite"
    export(run, registry, file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"UPDATE registry_state SET {change}")
        connection.commit()
    assert message in refused(run, registry, file)


def test_what_changes_rows_without_changing_a_file_is_exported(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "r.sqlite"
    small = registry.root / "definitions/process_definition/small.yaml"
    export(run, registry, file)
    text = small.read_text()
    small.write_text(text + "tags: [soon]\n")
    registry.commit("Try a tag")
    small.write_text(text)
    registry.commit("Undo")
    assert export(run, registry, file)["written"] == 1
    messages = rows(file, "SELECT message FROM revision WHERE name = 'small' ORDER BY position")
    assert [one for (one,) in messages][-2:] == ["Try a tag", "Undo"]
    registry.write(".mailmap", "Anna Author <ana@example.org>\n")
    registry.commit("Correct a name")
    assert export(run, registry, file)["written"] == 3
    assert ("Anna Author",) in rows(file, "SELECT author FROM revision WHERE name = 'small'")
    small.write_text(text + "tags: [now]\n")
    export(run, registry, file)
    assert rows(file, "SELECT is_dirty FROM registry_state") == [(1,)]
    assert rows(file, "SELECT tag FROM tag WHERE name = 'small'") == [("now",)]


@pytest.mark.parametrize("many", [1, 3])
def test_rows_that_are_sent_in_pieces_are_the_same(
    registry: RepoBuilder, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    whole, pieces = tmp_path / "whole.sqlite", tmp_path / "pieces.sqlite"
    export(run, registry, whole)
    monkeypatch.setattr("registry.exchange.sql._MANY", many)
    export(run, registry, pieces)
    assert everything(pieces) == everything(whole)


def test_the_old_spelling_of_adapters_is_in_the_tables(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    registry.define("weather/forecast", FULL.replace("input_params", "input_parameters"))
    registry.commit("Use the old spelling")
    file = tmp_path / "r.sqlite"
    export(run, registry, file)
    assert rows(file, "SELECT parameters FROM adapter WHERE direction = 'input'") == [
        ('{"file_type":"stream","stream_name":"STDIN"}',)
    ]
