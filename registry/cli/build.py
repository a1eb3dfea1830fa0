"""`registry build`: the static site."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.terminal import Format, FormatOption, RegistryOption, SourceOption, counted, find_root, out, progress, show_problems, write_json
from registry.errors import UsageError, has_errors

if TYPE_CHECKING:
    from registry.snapshot import Preview
    from registry.source import Source


def command(
    registry: RegistryOption = None,
    source: SourceOption = "worktree",
    out_: Annotated[Path | None, typer.Option("--out", "-o", help="Where to: `output` of registry.yaml, else `site`.", metavar="DIR")] = None,
    preview: Annotated[
        str | None,
        typer.Option(
            "--preview", help="Show a banner that names a change (as `pull request 12`), and mark what it changes against --base.", metavar="TITLE"
        ),
    ] = None,
    base: Annotated[str | None, typer.Option("--base", help="For --preview: the branch that the change is meant for.", metavar="REF")] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Render the JSON API and the catalog into a folder that any static host can serve.

    Errors stop it (exit code 1), and the last good site stays. The same commit gives the same bytes, on any machine.

    Examples: `registry build` · `registry build --source v1.2 --out /srv/registry` · `registry build --preview "pull request 12" --base origin/main`
    """
    from registry.build import build
    from registry.settings import SETTINGS_PATH, parse_settings
    from registry.site import Site
    from registry.source import open_source

    root = find_root(registry)
    opened = open_source(root, source)
    settings, _ = parse_settings(opened.read(SETTINGS_PATH))
    target = out_ if out_ is not None else root / settings.output
    if (preview is None) != (base is None):
        raise UsageError("--preview and --base go together", 'as in --preview "pull request 12" --base origin/main')
    with progress() as tell:
        result = build(opened, Site(target), tell, preview=_preview(opened, preview, base) if preview and base else None)
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


def _preview(source: "Source", title: str, base: str) -> "Preview | None":
    """What the site says of the change: against where it left its target, not against what happened there since."""
    from registry.comparison import compare_sources
    from registry.reports.changes.html import report
    from registry.reports.changes.words import summary
    from registry.snapshot import Preview
    from registry.source import Commit

    repository, commit = source.repository, source.commit
    if repository is None or commit is None:
        raise UsageError("there are no commits to compare with", "leave out --preview")
    target = repository.resolve(base)
    comparison = compare_sources(Commit(source.root, repository, repository.common_ancestor(target, commit) or target), source)
    marks = {(one.kind, one.name): one.what.value for one in comparison.changed}
    return Preview(title, summary(comparison), marks, report(comparison, home="../").encode())
