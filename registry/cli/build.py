"""`registry build`: the static site."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.extras import require_extra
from registry.cli.options import (
    Format,
    base_url_option,
    format_option,
    out_option,
    quiet_option,
    registry_option,
    source_option,
)
from registry.cli.terminal import (
    counted,
    err,
    find_root,
    open_cache,
    out,
    progress,
    show_problems,
    write_json,
)
from registry.errors import RegistryError, UsageError
from registry.model.problem import Severity, has_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.load.source import Source
    from registry.model.problem import Problem
    from registry.pipeline import BuildResult
    from registry.site.build_record import SiteSummary
    from registry.snapshot import Preview, Snapshot


@click.command("build")
@registry_option
@source_option
@out_option
@click.option(
    "--preview",
    metavar="TITLE",
    help='Show a banner with this title, for example "pull request 12", and mark the changes since --base.',
)
@click.option("--base", metavar="REF", help="Target branch of the change. Requires --preview.")
@click.option(
    "--history",
    type=click.Choice(["revisions", "commits"]),
    help="Show all revisions with their content, or commits only. Default: history in registry.yaml, or revisions.",
)
@click.option(
    "--layout",
    type=click.Choice(["compact", "full"]),
    help="One page and one answer for all revisions of a definition, or one for each, too. Default: layout in registry.yaml.",
)
@click.option(
    "--addresses",
    type=click.Choice(["slash", "json", "both"]),
    help="Form of the addresses below api/: x/, x.json, or both. Default: addresses in registry.yaml.",
)
@base_url_option
@click.option(
    "--published",
    metavar="WHERE",
    help="The site that this one will replace, as an address or a folder. Refuse to build if ids would be lost.",
)
@click.option("--from-nothing", is_flag=True, help="Full rebuild: ignore the cache and the previous site.")
@format_option
@quiet_option
def command(
    registry: Path | None,
    source: str,
    out_: Path | None,
    preview: str | None,
    base: str | None,
    history: str | None,
    layout: str | None,
    addresses: str | None,
    base_url: str | None,
    published: str | None,
    from_nothing: bool,
    format_: Format,
    quiet: bool,
) -> None:
    """Build the static site: the JSON API and the HTML catalog.

    Any static host can serve the output folder. The build is incremental and reproducible: the same commit gives the
    same bytes on every machine. The cache is in .registry/cache/ and can be deleted at any time.

    \b
    Exit codes:
      0  the site was built
      1  the definitions have errors; the previous site was kept
      2  the build could not run
      3  refused: the published site has ids that this registry does not have

    \b
    Examples:
      registry build
      registry build --source v1.2 --out /srv/registry
      registry build --base-url https://me.example.org/repo/
      registry build --layout full --addresses slash
      registry build --published https://registry.example.org/
      registry build --preview "pull request 12" --base origin/main
    """
    from registry.load.file_stats import PendingScan
    from registry.load.settings import overridden
    from registry.load.source import open_source

    if (preview is None) != (base is None):
        raise UsageError(
            "--preview and --base must be used together",
            'as in --preview "pull request 12" --base origin/main',
        )
    root = find_root(registry)
    opened = open_source(root, source)
    given = {"history": history, "layout": layout, "addresses": addresses, "base_url": base_url}
    overridden(opened.settings, given)  # a wrong value is an error before any file is read
    if opened.settings.tables:
        require_extra("build", "tables", opened.settings.install_from)
    target = out_ if out_ is not None else root / opened.settings.output
    if published is not None:
        _refuse_to_replace(published, opened)
    report = _Report(opened, target, format_, quiet=quiet)
    may_skip = not (from_nothing or preview)
    # Runs while the rest of the program is imported, which takes longer.
    pending = PendingScan(root) if may_skip and opened.is_work_tree else None

    from registry.cache.build_cache import BuildCache
    from registry.pipeline import build
    from registry.site import Site
    from registry.site.build_record import SiteSummary, digest_of_inputs, record_build, unchanged_site

    cache, site = open_cache(opened), Site(target)
    inputs = digest_of_inputs(opened, pending, repr(given)) if may_skip else None
    unchanged = unchanged_site(cache, site, inputs) if inputs is not None else None
    if unchanged is not None:
        report.no_change(unchanged)
        return
    loss = _loss_in(target, opened)
    with progress() as say:
        result = build(
            opened,
            site,
            say,
            preview=_preview(opened, preview, base) if preview and base else None,
            cache=BuildCache(None if from_nothing else cache),
            from_nothing=from_nothing,
            given=given,
        )
    if result.snapshot is None:
        report.errors(result.problems)
        sys.exit(1)
    assert not has_errors(result.problems)
    summary = SiteSummary.of(result.snapshot, result.files, len(result.problems))
    if inputs is not None:
        record_build(cache, site, inputs, summary)
    report.built(summary, result, result.snapshot)
    if loss:
        err.print(
            f"warning: {loss}. Do not publish this: "
            "`registry build --published` refuses to build when ids would be lost.",
            markup=False,
        )


def _refuse_to_replace(where: str, source: "Source") -> None:
    """Raise RefusedError if the site at `where` has ids that `source` does not have.

    Raises UsageError if the site cannot be read.
    """
    from registry.indexing.published import read_published, refuse_to_replace

    found = read_published(where, source.root, source.repository)
    if found is None:
        err.print(f"note: nothing was published at {where} yet", markup=False)
    else:
        refuse_to_replace(found.mark, source)


def _loss_in(target: Path, source: "Source") -> str:
    """Describe the ids that the site in `target` has and `source` does not.

    Returns "" if no id is missing, or if there is no site.
    """
    from registry.indexing.published import lacks_lines_of, read_published

    if not target.is_dir():
        return ""
    try:
        found = read_published(str(target), source.root, None)
        return lacks_lines_of(found.mark, source) if found is not None else ""
    except RegistryError:
        return ""  # not a site of this program: the build decides whether it may be replaced


def _preview(source: "Source", title: str, base: str) -> "Preview":
    from registry.reports.changes.preview import preview_of  # imports all that compares definitions

    return preview_of(source, title, base)


class _Report:
    """Prints what a build did, as text or JSON."""

    def __init__(self, source: "Source", target: Path, format_: Format, *, quiet: bool) -> None:
        self._source, self._target = source, target
        self._is_json = format_ == "json"
        self._is_quiet = quiet

    def no_change(self, site: "SiteSummary") -> None:
        """Report that the site is current."""
        if self._is_json:
            self._write(site, 0.0)
        elif not self._is_quiet:
            warnings = f" ({counted(site.warnings, 'warning')}: registry check)" if site.warnings else ""
            out.print(
                f"Nothing has changed since {self._target} was built: "
                f"{counted(site.definitions, 'definition')}{warnings}.",
                markup=False,
            )

    def errors(self, problems: "Sequence[Problem]") -> None:
        """Report why nothing was built."""
        if self._is_json:
            from registry.reports.json import problems_body

            write_json(problems_body(problems))
            return
        shown = [one for one in problems if one.severity is Severity.ERROR] if self._is_quiet else problems
        if shown:
            show_problems(shown, self._source.read)
        out.print("Not built because of the errors above; the previous site was kept.")

    def built(self, site: "SiteSummary", result: "BuildResult", snapshot: "Snapshot") -> None:
        """Report the new site, and the warnings."""
        if result.problems and not self._is_quiet:
            show_problems(result.problems, self._source.read)
        if self._is_json:
            self._write(site, result.seconds)
        elif not self._is_quiet:
            counts = f"{counted(site.definitions, 'definition')}, {counted(site.revisions, 'revision')}"
            files = f"{counted(site.files, 'file')} in {result.seconds:.1f} s"
            out.print(f"{counts}, {files}: {self._target}", markup=False)
            _report_incomplete(snapshot)

    def _write(self, site: "SiteSummary", seconds: float) -> None:
        write_json(
            {
                "out": str(self._target),
                "definitions": site.definitions,
                "revisions": site.revisions,
                "files": site.files,
                "seconds": round(seconds, 3),
                "commit": site.commit,
                "history_complete": site.history_complete,
            }
        )


def _report_incomplete(snapshot: "Snapshot") -> None:
    """Report what the site lacks: older revisions, and the addresses of definitions without an id."""
    if not snapshot.history_complete:
        why = (
            "there are no commits"
            if snapshot.commit is None
            else "this is a shallow clone (git fetch --unshallow)"
        )
        out.print(f"The history is incomplete: {why}.")
    pending = sum(definition.id is None for definition in snapshot.definitions)
    if pending:
        out.print(f"{pending:,} without an id: `registry index` assigns ids on the main branch.")
