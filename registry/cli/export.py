"""`registry export`: definitions in other formats."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from registry.cli.extras import require_extra
from registry.cli.interrupts import raise_if_interrupted
from registry.cli.options import Format, format_option, registry_option
from registry.cli.terminal import counted, find_root, open_cache, out, progress, write_json
from registry.errors import ProblemsError, RegistryError, UsageError

if TYPE_CHECKING:
    from registry.cache.build_cache import BuildCache
    from registry.exchange.sql import Exported
    from registry.exchange.sql.database import Database

_POLL_S = 1.0


@click.command("export")
@registry_option
@click.option(
    "--source",
    metavar="COMMIT",
    help="Commit, branch or tag to read. Default: the work tree, or HEAD of a bare repository.",
)
@click.option("--to", "to", required=True, type=click.Choice(["sql"]), help="Format of the export.")
@click.option(
    "--url",
    envvar="REGISTRY_SQL_URL",
    metavar="URL",
    help="With --to sql: the database. It can also be in the variable REGISTRY_SQL_URL, which other users of this "
    "machine cannot see.",
)
@click.option("--follow", is_flag=True, help="With --to sql: export each later change, too, until Ctrl-C.")
@click.option(
    "--poll",
    "poll_s",
    type=click.FloatRange(0.05),
    default=_POLL_S,
    metavar="SECONDS",
    help="With --follow: seconds between two looks for changes.",
)
@format_option
def command(
    registry: Path | None,
    source: str | None,
    to: str,
    url: str | None,
    follow: bool,
    poll_s: float,
    format_: Format,
) -> None:
    """Export all definitions.

    --to sql writes tables of definitions, arguments, environment, adapters, owners, tags and revisions to SQLite,
    MariaDB, MySQL or PostgreSQL, for queries. Git remains the only store: the tables are never read back. One
    transaction writes what differs from the database, so other programs see one commit or the next. Credentials are
    hidden as on the site. docs/sql.md describes the tables.

    An older commit, another registry, and a database with foreign tables are refused.

    Requires the extra `sql` of this package.

    \b
    Exit codes:
      0  exported
      1  the definitions have errors; nothing was written
      2  the database or the registry cannot be used; nothing was written
      3  refused: the database contains a later commit or another registry

    \b
    Examples:
      registry export --to sql --url sqlite:///registry.sqlite
      registry export --to sql --url mysql+pymysql://registry@db.example.org/registry
      registry export --to sql --url postgresql+psycopg://registry@db.example.org/registry
      registry export --to sql --url sqlite:///registry.sqlite -C registry.git --follow
    """
    from registry.cache.build_cache import BuildCache
    from registry.load.source import open_source

    if url is None:
        raise UsageError(f"--to {to} needs --url", "as in --url sqlite:///registry.sqlite")
    root = find_root(registry)
    revision = source if source is not None else _default_source(root)
    opened = open_source(root, revision)
    require_extra("export", "sql", opened.settings.install_from)
    from registry.exchange.sql.database import Database

    cache = BuildCache(open_cache(opened))
    database = Database(url)
    try:
        if follow:
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


def _default_source(root: Path) -> str:
    from registry.git import open_repository

    if (root / "definitions").is_dir():
        return "worktree"
    repository = open_repository(root)
    return "HEAD" if repository is not None and repository.is_bare else "worktree"


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
