"""`registry export --to sql`."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from registry.cli.extras import require_extra
from registry.cli.interrupts import raise_if_interrupted
from registry.cli.options import Format
from registry.cli.terminal import counted, open_cache, out, progress, write_json
from registry.errors import ProblemsError, RegistryError, UsageError

if TYPE_CHECKING:
    from registry.cache.build_cache import BuildCache
    from registry.exchange.sql import Exported
    from registry.exchange.sql.database import Database


def export_sql(root: Path, revision: str, url: str | None, poll_s: float | None, format_: Format) -> None:
    """Write all definitions to the tables of a database. With `poll_s`, each later change, too.

    Raises UsageError without a URL, ProblemsError for definitions with errors, and RefusedError for a database
    with a later commit.
    """
    from registry.cache.build_cache import BuildCache
    from registry.load.source import open_source

    if url is None:
        raise UsageError("--to sql needs --url", "as in --url sqlite:///registry.sqlite")
    opened = open_source(root, revision)
    require_extra("export", "sql", opened.settings.install_from)
    from registry.exchange.sql.database import Database

    cache = BuildCache(open_cache(opened))
    database = Database(url)
    try:
        if poll_s is not None:
            _follow(root.absolute(), revision, database, cache, poll_s)
        done = _export(root, revision, database, cache)
    finally:
        database.close()
    if format_ == "json":
        write_json(
            {
                "commit": done.commit,
                "definitions": done.definitions,
                "written": done.written,
                "removed": done.removed,
            }
        )
        return
    out.print(f"{database.name}: {_summary(done)}", markup=False)


def _export(root: Path, revision: str, database: "Database", cache: "BuildCache") -> "Exported":
    from registry.exchange.sql import export_to_sql
    from registry.load.source import open_source
    from registry.pipeline import snapshot_of

    opened = open_source(root, revision)
    with progress() as report:
        snapshot, problems = snapshot_of(opened, report, cache, with_contents=False)
        if snapshot is None:
            raise ProblemsError(problems, opened.read)
        return export_to_sql(snapshot, opened.repository, database, report)


def _summary(done: "Exported") -> str:
    commit = f" of commit {done.commit[:12]}" if done.commit else ""
    return (
        f"{counted(done.definitions, 'definition')}{commit}, "
        f"{done.written:,} written, {done.removed:,} removed"
    )


def _follow(root: Path, revision: str, database: "Database", cache: "BuildCache", poll_s: float) -> NoReturn:
    """Export whenever the source changes, until Ctrl-C. Raises RefusedError for a database to keep."""
    import time

    from registry.cli.status import StatusView
    from registry.errors import RefusedError
    from registry.load.source import open_source

    view = StatusView(open_source(root, revision).read)
    exported = ""
    out.print("Following (press Ctrl-C to stop)", markup=False)
    while True:
        try:
            now = _state(root, revision)
            if now != exported:
                done = _export(root, revision, database, cache)
                exported = now
                view.show(f"{database.name}: {_summary(done)}", is_news=True)
        except RefusedError:
            raise
        except ProblemsError as error:
            exported = now  # the files have to change
            view.show("The database keeps the last valid state.", problems=error.problems)
        except RegistryError as error:
            view.show("The database keeps its state. Trying again.", error=error)
        raise_if_interrupted()
        time.sleep(poll_s)


def _state(root: Path, revision: str) -> str:
    """Return a text that differs after each change of the source."""
    from registry.load.file_stats import scan
    from registry.load.source import open_source

    opened = open_source(root, revision)
    files = scan(root).digest if opened.is_work_tree else ""
    return f"{opened.commit} {files}"
