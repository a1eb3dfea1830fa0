"""`registry build`: the static site."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from registry.cli.terminal import Format, FormatOption, RegistryOption, SourceOption, counted, find_root, out, progress, show_problems, write_json
from registry.errors import has_errors


def command(
    registry: RegistryOption = None,
    source: SourceOption = "worktree",
    out_: Annotated[Path | None, typer.Option("--out", "-o", help="Where to: `output` of registry.yaml, else `site`.", metavar="DIR")] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Render the JSON API and the catalog into a folder that any static host can serve.

    Errors stop it (exit code 1), and the last good site stays. The same commit gives the same bytes, on any machine.

    Examples: `registry build` · `registry build --source v1.2 --out /srv/registry`
    """
    from registry.build import build
    from registry.settings import SETTINGS_PATH, parse_settings
    from registry.site import Site
    from registry.source import open_source

    root = find_root(registry)
    opened = open_source(root, source)
    settings, _ = parse_settings(opened.read(SETTINGS_PATH))
    target = out_ if out_ is not None else root / settings.output
    with progress() as tell:
        result = build(opened, Site(target), tell)
    if result.snapshot is None and format_ is Format.JSON:
        from registry.reports.json import report

        sys.stdout.write(report(result.problems))
        raise typer.Exit(1)
    if result.problems:
        show_problems(result.problems, opened.read)
    if result.snapshot is None:
        out.print("Not built: the errors above come first; the last good site stays.")
        raise typer.Exit(1)
    snapshot = result.snapshot
    if format_ is Format.JSON:
        write_json({"out": str(target), "definitions": len(snapshot.definitions), "revisions": snapshot.revision_count,
                    "files": result.files, "seconds": round(result.seconds, 3), "commit": snapshot.commit,
                    "history_complete": snapshot.history_complete})  # fmt: skip
        return
    out.print(
        f"{counted(len(snapshot.definitions), 'definition')}, {counted(snapshot.revision_count, 'revision')}, {counted(result.files, 'file')}"
        f" in {result.seconds:.1f} s: {target}", markup=False,
    )  # fmt: skip
    if not snapshot.history_complete:
        why = "nothing is committed here" if snapshot.commit is None else "this is a shallow clone (git fetch --unshallow)"
        out.print(f"History is not complete: {why}.")
    pending = sum(definition.id is None for definition in snapshot.definitions)
    if pending:
        out.print(f"{pending:,} without an id yet: `registry index` gives ids on the main branch.")
    assert not has_errors(result.problems)
