"""`registry export`: definitions in other formats."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.options import Format, format_option, registry_option
from registry.cli.terminal import counted, err, find_root, write_json, write_text
from registry.errors import RefusedError, UsageError
from registry.exchange.fields import loss_lines
from registry.exchange.formats import exporters

if TYPE_CHECKING:
    from registry.exchange.exporter import Exportable, Exporter
    from registry.exchange.exporting import ExportResult
    from registry.snapshot import Snapshot

_POLL_S = 1.0
_MOST_NAMES = 5
_SQL = "sql"
FORMAT_NAMES = (*(one.name for one in exporters()), _SQL)


@click.command("export")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@registry_option
@click.option("--all", "everything", is_flag=True, help="Export all definitions that the format is for.")
@click.option(
    "--source",
    metavar="COMMIT",
    help="Commit, branch or tag to read. Default: the work tree, or HEAD of a bare repository.",
)
@click.option("--to", "to", required=True, type=click.Choice(FORMAT_NAMES), help="Format of the export.")
@click.option(
    "--out",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the files. Without it, one file is written to standard output.",
)
@click.option("--strict", is_flag=True, help="Write nothing if anything would be lost.")
@click.option("--force", is_flag=True, help="Replace files that exist in the folder.")
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
    names: tuple[str, ...],
    registry: Path | None,
    everything: bool,
    source: str | None,
    to: str,
    folder: Path | None,
    strict: bool,
    force: bool,
    url: str | None,
    follow: bool,
    poll_s: float,
    format_: Format,
) -> None:
    """Export definitions to other formats or to a database.

    What a format cannot express is listed on standard error and in comments of the file; --strict refuses instead.
    A value that the format cannot write exactly is always refused. docs/exchange.md has a table of every format.

    Some formats cannot pass messages in files or limit the time of a run. Their files start the program through the
    script registry-run, which is written beside them: install it in a folder of PATH. The message is its standard
    input, or the file that the variable REGISTRY_INPUT names; the answer is its standard output, or the file that
    REGISTRY_OUTPUT names, which is replaced as a whole when the program succeeds. To start a program with it by hand:

    \b
      registry-run [-t SECONDS] [-i] [-I SUFFIX] [-o] [-O SUFFIX] -- PROGRAM [ARGUMENT]...
      -t  seconds until TERM for the process group; KILL follows 10 seconds later; exit status 124
      -i  the message is a file: each ${input_file} in the arguments becomes its path, ending in the suffix of -I
      -o  the answer is a file: each ${output_file} becomes a new path, ending in the suffix of -O

    --to sql writes all definitions to SQLite, MariaDB, MySQL or PostgreSQL, for queries; it needs --url, and the extra
    `sql` of this package. An older commit, another registry, and a database with foreign tables are refused.
    docs/sql.md describes the tables.

    \b
    Exit codes:
      0  exported
      1  the definitions have errors, a definition cannot be exported, or --strict and something would be lost
      2  the files, the database or the registry cannot be used; nothing was written
      3  refused: a file exists, or the database contains a later commit or another registry

    \b
    Examples:
      registry export weather/qc-packets --to systemd
      registry export --all --to compose --out deploy
      registry export --to sql --url sqlite:///registry.sqlite
      registry export --to sql --url postgresql+psycopg://registry@db.example.org/registry --follow
    """
    root = find_root(registry)
    revision = source if source is not None else _default_source(root)
    if to == _SQL:
        from registry.cli.sql_export import export_sql

        if names or everything or folder or strict or force:
            raise UsageError(
                "--to sql exports all definitions to a database", "leave out names, --all, --out"
            )
        export_sql(root, revision, url, poll_s if follow else None, format_)
        return
    if follow:
        raise UsageError("--follow is for --to sql only")
    if bool(names) == everything:
        raise UsageError(
            "name the definitions to export, or use --all", "as in registry export weather/qc --to systemd"
        )
    exporter = next(one for one in exporters() if one.name == to)
    _export_files(root, revision, exporter, names, folder, strict=strict, force=force, format_=format_)


def _default_source(root: Path) -> str:
    from registry.git import open_repository

    if (root / "definitions").is_dir():
        return "worktree"
    repository = open_repository(root)
    return "HEAD" if repository is not None and repository.is_bare else "worktree"


def _export_files(
    root: Path,
    revision: str,
    exporter: "Exporter",
    names: tuple[str, ...],
    folder: Path | None,
    *,
    strict: bool,
    force: bool,
    format_: Format,
) -> None:
    from registry.cli.lookup import load_snapshot
    from registry.exchange.exporting import export_definitions

    snapshot = load_snapshot(root, revision)
    some = _selected(snapshot, exporter, names)
    export = export_definitions(exporter, some)
    lost = sum(map(len, export.losses.values()))
    if folder is None and len(export.files) > 1:
        raise UsageError(f"{exporter.title} has one file for each definition", "name a folder with --out")
    refuses = bool(export.refused) or (strict and lost > 0)
    if not (strict and refuses):
        _write(export, folder, force=force, to_terminal=format_ != "json")
    if format_ == "json":
        write_json(_as_json(export, is_written=not (strict and refuses)))
    else:
        _report(export, exporter, folder, strict=strict)
    if refuses:
        sys.exit(1)


def _selected(snapshot: "Snapshot", exporter: "Exporter", names: tuple[str, ...]) -> "list[Exportable]":
    """Return the named definitions, or all of the kinds that the format is for.

    Raises UsageError for a name that no definition has, and for a definition of another kind.
    """
    from registry.cli.lookup import find
    from registry.exchange.exporting import exportable
    from registry.model.definition import Definition

    kinds = snapshot.kinds.using(*exporter.kinds)
    if not names:
        return [exportable(snapshot, one) for kind in sorted(kinds) for one in snapshot.by_kind.get(kind, ())]
    found = {}
    for name in names:
        one = find(snapshot, name, None)
        if not isinstance(one, Definition):
            raise UsageError(f"{one.name} was deleted", "`registry show` shows its last content")
        if one.kind not in kinds:
            raise UsageError(
                f"{one.kind}/{one.name} cannot be exported to {exporter.title}", "it has no command"
            )
        found[one.path] = exportable(snapshot, one)
    return list(found.values())


def _write(export: "ExportResult", folder: Path | None, *, force: bool, to_terminal: bool) -> None:
    """Write the files. Raises RefusedError, before any is written, if something is at the place of one."""
    from registry.exchange.exporting import wrapper
    from registry.exchange.wrapped_command import WRAPPER_FILE
    from registry.files.atomic_write import put_in

    if folder is None:
        if to_terminal:
            write_text("".join(export.files.values()))
        return
    files = {path: text.encode() for path, text in export.files.items()}
    if export.needs_wrapper:
        files[WRAPPER_FILE] = wrapper()
    for path, data in files.items():
        _require_replaceable(folder / path, data, force=force)
    for path, data in files.items():
        put_in(folder, path, data)
    if export.needs_wrapper:
        (folder / WRAPPER_FILE).chmod(0o755)


def _require_replaceable(place: Path, data: bytes, *, force: bool) -> None:
    """Raise RefusedError for a file that exists with other content, a link, or anything else at its place."""
    if place.is_symlink() or (place.exists() and not place.is_file()):
        what = "a link" if place.is_symlink() else "not a file"
        raise RefusedError(f"{place} is {what}", "remove it, or choose another folder; nothing was written")
    if place.exists() and not force and place.read_bytes() != data:
        raise RefusedError(f"{place} exists", "--force replaces it; nothing was written")


def _report(export: "ExportResult", exporter: "Exporter", folder: Path | None, *, strict: bool) -> None:
    """Report losses and refusals on standard error: each reason once, with the definitions that it is about."""
    names: dict[str, list[str]] = {}
    for name, losses in export.losses.items():
        for line in loss_lines(losses):
            names.setdefault(line, []).append(name)
    for line, some in names.items():
        err.print(f"Not carried: {_listed(some)}: {line}", markup=False)
    for one in export.refused:
        err.print(f"{one.name}: {one.field} cannot be exported: {one.why}", markup=False)
    lost = sum(map(len, export.losses.values()))
    if strict and (lost or export.refused):
        err.print("Nothing was written, because of --strict.", markup=False)
    elif folder is not None:
        err.print(
            f"{counted(len(export.losses), 'definition')} exported to {folder} "
            f"({counted(len(export.files), 'file')}, {exporter.title})",
            markup=False,
        )
    elif export.needs_wrapper:
        err.print("The text needs the script registry-run, which --out writes beside it.", markup=False)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"


def _as_json(export: "ExportResult", *, is_written: bool) -> Mapping[str, object]:
    return {
        "files": dict(export.files) if is_written else {},
        "lost": {
            name: [{"field": one.field, "why": one.why} for one in losses]
            for name, losses in export.losses.items()
            if losses
        },
        "refused": [{"name": one.name, "field": one.field, "why": one.why} for one in export.refused],
    }
