"""Tables in MariaDB and PostgreSQL, run by `make test-engines`. What does not depend on the database is in test_sql."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Connection, create_engine, select

from registry.exchange.sql.tables import DEFINITIONS, METADATA, STATE
from tests.conftest import Run
from tests.exchange.conftest import FULL, index
from tests.support import engines
from tests.support.engines import PASSWORD, Server
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.engine

# Values that a server, a driver or a way of sending them may change.
HARD = [
    *[
        "",
        " ",
        "a ",
        "A ",
        "é",
        "e\u0301",
        "\u2028",
        "\U0001f600",
        "\\",
        "\\N",
        "\\t",
        "\t",
        "\r\n",
        "NULL",
        "null",
    ],
    *[
        "'",
        '"',
        "`",
        "%s",
        "%(a)s",
        ":a",
        "{",
        "$1",
        "1e3",
        "0777",
        "\x7f",
        "\ufeff",
        "x" * 70_000,
        "é" * 10_000,
    ],
]


@pytest.fixture(scope="module", params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each server in turn."""
    with getattr(engines, request.param)() as running:
        yield running


@pytest.fixture
def database(server: Server) -> URL:
    """An empty database."""
    return server.new_database()


def hard_definition() -> str:
    """A definition with the hard values as arguments."""
    document = {"title": "Hard", "owners": ["a"], "definition": {"exec": "/bin/hard", "argv": HARD}}
    # YAML has these characters as escapes only, and others not as surrogates.
    escapes = str.maketrans({"\u2028": "\\u2028", "\x7f": "\\x7f", "\ufeff": "\\ufeff"})
    return json.dumps(document, ensure_ascii=False).translate(escapes)


@contextmanager
def connected(database: URL) -> Iterator[Connection]:
    engine = create_engine(database)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def everything(database: URL) -> dict[str, list[Any]]:
    """All rows of all tables."""
    with connected(database) as connection:
        return {
            name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for name, table in METADATA.tables.items()
        }


def titles(database: URL) -> dict[str, str]:
    """The title of each definition."""
    with connected(database) as connection:
        rows = connection.execute(select(DEFINITIONS.c.name, DEFINITIONS.c.title))
        return {row.name: row.title for row in rows}


def words_of(database: URL, repo: RepoBuilder) -> list[str]:
    """The command that exports into a database."""
    url = database.render_as_string(hide_password=False)
    return ["export", "--to", "sql", "--url", url, "-C", str(repo.root)]


def export(run: Run, repo: RepoBuilder, database: URL) -> Any:
    """Export as JSON; gives what was printed."""
    done = run(*words_of(database, repo), "--format", "json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def started(database: URL, repo: RepoBuilder, *more: str) -> "subprocess.Popen[str]":
    """An export in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "registry", *words_of(database, repo), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """The exit code and the output of an export."""
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in output
    return process.returncode, output


@contextmanager
def waiting_export(server: Server, database: URL, repo: RepoBuilder) -> "Iterator[subprocess.Popen[str]]":
    """An export that has begun its transaction, and waits for the end of another one."""
    is_waiting = {
        "mysql": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
    }[database.get_backend_name()]
    engine = create_engine(database)
    connection = engine.connect()
    connection.execute(select(STATE).with_for_update())
    process = started(database, repo)

    def has_ended_or_waits() -> bool:
        # MariaDB renews this table only if nothing has read it for 0.1 s.
        time.sleep(0.3)
        return process.poll() is not None or server.execute(is_waiting) == 1

    try:
        eventually(has_ended_or_waits, "the lock")
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        process.kill()
        process.wait()
        connection.invalidate()  # the server may have ended
        engine.dispose()


def test_exports_of_differences_equal_one_into_an_empty_database_and_one_into_sqlite(
    server: Server, database: URL, registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    def assert_equal_in_sqlite(step: int) -> dict[str, list[Any]]:
        file = URL.create("sqlite", database=str(tmp_path / f"{step}.sqlite"))
        export(run, registry, file)
        rows = everything(database)
        assert rows == everything(file)
        return rows

    assert export(run, registry, database)["written"] == 3
    assert_equal_in_sqlite(1)
    registry.define("hard", hard_definition())
    registry.define("weather/forecast", FULL.replace("UTC", "CET").replace("[b, a]", "[c]"))
    registry.commit("Add 'hard' \\ \N{SNOWMAN} %s\n\nBody")
    index(registry, run)
    assert export(run, registry, database)["written"] == 2
    rows = assert_equal_in_sqlite(2)
    assert [row[3] for row in sorted(rows["argument"], key=lambda row: row[2]) if row[1] == "hard"] == HARD
    registry.git(
        "mv", "definitions/process_definition/small.yaml", "definitions/process_definition/tiny.yaml"
    )
    registry.git("rm", "-q", "definitions/process_definition/hard.yaml")
    registry.commit("Rename one, delete one")
    index(registry, run)
    done = export(run, registry, database)
    assert (done["definitions"], done["written"], done["removed"]) == (3, 1, 2)
    rows = assert_equal_in_sqlite(3)
    another = server.new_database()
    export(run, registry, another)
    assert everything(another) == rows
    assert export(run, registry, database)["written"] == 0


def test_exports_at_the_same_time_leave_whole_tables(
    database: URL, registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    processes = [started(database, registry) for _ in range(4)]
    for process in processes:
        code, output = ended(process)
        assert code == 0, output
    file = URL.create("sqlite", database=str(tmp_path / "r.sqlite"))
    export(run, registry, file)
    assert everything(database) == everything(file)


def test_an_interrupted_export_changes_nothing(
    server: Server, database: URL, registry: RepoBuilder, run: Run
) -> None:
    export(run, registry, database)
    before = everything(database)
    registry.define("another")
    with waiting_export(server, database, registry) as process:
        process.send_signal(signal.SIGINT)
        assert ended(process)[0] == 130
    assert everything(database) == before
    assert export(run, registry, database)["written"] == 1


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_an_export_does_not_begin_without_its_lock(database: URL, registry: RepoBuilder, run: Run) -> None:
    engine = create_engine(database)
    with engine.connect() as connection:
        assert connection.exec_driver_sql(
            "SELECT GET_LOCK(CONCAT('registry export ', DATABASE()), 0)"
        ).scalar()
        done = run(*words_of(database, registry))  # waits for half a minute
    engine.dispose()
    assert (done.code, "another export has the lock" in done.err) == (2, True), done.err
    assert export(run, registry, database)["written"] == 3


def test_a_lost_connection_changes_nothing(
    server: Server, database: URL, registry: RepoBuilder, run: Run
) -> None:
    export(run, registry, database)
    before = everything(database)
    registry.define("another")
    with waiting_export(server, database, registry) as process:
        server.stop()
        code, output = ended(process)
    assert code == 2
    assert f"database {database.database} on " in output
    assert PASSWORD not in output
    server.start()
    assert everything(database) == before
    assert export(run, registry, database)["written"] == 1


def test_follow_continues_when_the_server_is_there_again(
    server: Server, database: URL, registry: RepoBuilder
) -> None:
    process = started(database, registry, "--follow", "--poll", "0.1")
    assert process.stdout is not None
    try:
        while "3 definitions" not in (line := process.stdout.readline()):
            assert line, "it ended"
        server.stop()
        registry.define("small", "title: Larger\nowners: [team]\ndefinition:\n  exec: /bin/small\n")
        while "Trying again" not in (line := process.stdout.readline()):
            assert line, "it ended"
        server.start()
        eventually(lambda: titles(database)["small"] == "Larger", "the change")
    finally:
        process.send_signal(signal.SIGINT)
        code, _ = ended(process)
    assert code == 130


def test_what_the_server_refuses_is_an_error_without_the_password(
    server: Server, database: URL, registry: RepoBuilder, run: Run
) -> None:
    wrong = {
        "a wrong password": database.set(password="wr0ng-word"),
        "another user's database": database.set(database=server.new_database().database),
        "no such database": database.set(database="missing"),
    }
    for what, url in wrong.items():
        done = run(*words_of(url, registry))
        assert (done.code, done.out) == (2, ""), what
        assert f"database {url.database} on " in done.err
        assert PASSWORD not in done.err
        assert "wr0ng-word" not in done.err


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_a_database_without_an_encoding_stores_utf_8(
    server: Server, database: URL, registry: RepoBuilder, run: Run
) -> None:
    server.execute("CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0")
    other = server.administrator.set(database="bytes")
    export(run, registry, other)
    export(run, registry, database)
    assert everything(other.update_query_dict({"client_encoding": "utf8"})) == everything(database)


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_a_database_with_another_encoding_refuses_what_it_lacks(
    server: Server, registry: RepoBuilder, run: Run
) -> None:
    server.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    other = server.administrator.set(database="latin")
    done = run(*words_of(other, registry))
    assert (done.code, done.out) == (2, "")
    assert 'has no equivalent in encoding "LATIN1"' in done.err
    assert titles(other) == {}
