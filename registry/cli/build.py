"""`registry build`: the static site."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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
    from registry.cache.cache_file import CacheFile
    from registry.load.file_stats import PendingScan
    from registry.load.source import Source
    from registry.pipeline import BuildResult
    from registry.site import Site
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
      registry build --published https://registry.example.org/
      registry build --preview "pull request 12" --base origin/main
    """
    from registry.load.file_stats import PendingScan
    from registry.load.settings import with_base_url
    from registry.load.source import open_source

    if (preview is None) != (base is None):
        raise UsageError(
            "--preview and --base must be used together",
            'as in --preview "pull request 12" --base origin/main',
        )
    root = find_root(registry)
    opened = open_source(root, source)
    settings = opened.settings
    with_base_url(settings, base_url)  # a wrong value is an error before any file is read
    target = out_ if out_ is not None else root / settings.output
    if published is not None:
        _refuse_to_replace(published, opened)
    notes = not (from_nothing or preview)
    # Runs while the rest of the program is imported, which takes longer.
    looking = PendingScan(root) if notes and opened.is_work_tree else None

    from registry.cache.build_cache import BuildCache
    from registry.pipeline import build
    from registry.site import Site

    cache = open_cache(opened)
    seen = Seen.now(opened, looking, target, f"{history or ''} {base_url or ''}") if notes else None
    if seen is not None and seen.is_built(cache):
        if not quiet or format_ == "json":
            _report_no_change(cache, seen, format_)
        return
    loss = _loss_in(target, opened)
    with progress() as report:
        result = build(
            opened,
            Site(target),
            report,
            preview=_preview(opened, preview, base) if preview and base else None,
            cache=BuildCache(None if from_nothing else cache),
            from_nothing=from_nothing,
            history=history,
            base_url=base_url,
        )
    if seen is not None and result.snapshot is not None:
        seen.note(cache, result)
    _show(result, target, opened, format_, quiet=quiet)
    if loss and result.snapshot is not None:
        err.print(
            f"warning: {loss}. Do not publish this: "
            "`registry build --published` refuses to build when ids would be lost.",
            markup=False,
        )
    if result.snapshot is None:
        sys.exit(1)
    assert not has_errors(result.problems)


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


def _show(result: "BuildResult", target: Path, source: "Source", format_: Format, *, quiet: bool) -> None:
    """Report what was built, or why nothing was built."""
    snapshot = result.snapshot
    if snapshot is None and format_ == "json":
        from registry.reports.json import problems_body

        write_json(problems_body(result.problems))
        return
    shown = [one for one in result.problems if one.severity is Severity.ERROR] if quiet else result.problems
    if shown:
        show_problems(shown, source.read)
    if snapshot is None:
        out.print("Not built because of the errors above; the previous site was kept.")
    elif format_ == "json":
        write_json(
            {
                "out": str(target),
                "definitions": len(snapshot.definitions),
                "revisions": snapshot.revision_count,
                "files": result.files,
                "seconds": round(result.seconds, 3),
                "commit": snapshot.commit,
                "history_complete": snapshot.history_complete,
            }
        )
    elif not quiet:
        counts = (
            f"{counted(len(snapshot.definitions), 'definition')}, "
            f"{counted(snapshot.revision_count, 'revision')}"
        )
        out.print(
            f"{counts}, {counted(result.files, 'file')} in {result.seconds:.1f} s: {target}", markup=False
        )
        _show_what_is_missing(snapshot)


def _show_what_is_missing(snapshot: "Snapshot") -> None:
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


class Seen:
    """The state of all inputs of a build. The next build compares it and ends at once if nothing changed."""

    def __init__(self, site: "Site", digest: str) -> None:
        self.site = site
        self.digest = digest

    @classmethod
    def now(cls, source: "Source", looking: "PendingScan | None", out_: Path, options: str) -> "Seen | None":
        """None if a change might be undetectable (racy time stamps). The source reuses this scan."""
        from registry.cache.cache_file import program_digest
        from registry.files.safe_paths import current_umask
        from registry.load.source import WorkTree
        from registry.site import Site

        repository = source.repository
        found = (
            looking.scan(repository.state_files() if repository is not None else ())
            if looking is not None
            else None
        )
        if isinstance(source, WorkTree) and found is not None:
            source.use(found)
        if found is not None and not found.is_settled:
            return None
        cut = repository.cut() if repository is not None else ""
        return cls(
            Site(out_),
            f"{program_digest()} {source.commit} {cut} "
            f"{found.digest if found is not None else ''} {options} {current_umask():o}",
        )

    def is_built(self, cache: "CacheFile") -> bool:
        """True if the site was built from this state."""
        known = self.read(cache)
        return (
            known is not None
            and known["digest"] == self.digest
            and self.site.current is not None
            and self.site.current.name == known["folder"]
        )

    def read(self, cache: "CacheFile") -> dict[str, Any] | None:
        """The record of the last build into this folder, or None."""
        import orjson

        stored = cache.get("builds", str(self.site.out.absolute()))
        return orjson.loads(stored) if stored is not None else None

    def note(self, cache: "CacheFile", result: "BuildResult") -> None:
        """Record what was built."""
        import orjson

        snapshot, folder = result.snapshot, self.site.current
        if snapshot is None or folder is None:
            return
        facts = {
            "digest": self.digest,
            "folder": folder.name,
            "definitions": len(snapshot.definitions),
            "revisions": snapshot.revision_count,
            "files": result.files,
            "warnings": len(result.problems),
            "commit": snapshot.commit,
            "history_complete": snapshot.history_complete,
        }
        cache.keep({"builds": [(str(self.site.out.absolute()), orjson.dumps(facts))]})


def _report_no_change(cache: "CacheFile", seen: Seen, format_: Format) -> None:
    known = seen.read(cache) or {}
    if format_ == "json":
        write_json(
            {
                "out": str(seen.site.out),
                "definitions": known["definitions"],
                "revisions": known["revisions"],
                "files": known["files"],
                "seconds": 0.0,
                "commit": known["commit"],
                "history_complete": known["history_complete"],
            }
        )
        return
    warnings = f" ({counted(known['warnings'], 'warning')}: registry check)" if known["warnings"] else ""
    out.print(
        f"Nothing has changed since {seen.site.out} was built: "
        f"{counted(known['definitions'], 'definition')}{warnings}.",
        markup=False,
    )


def _preview(source: "Source", title: str, base: str) -> "Preview | None":
    """The change that the site shows: compared with the merge base, not with the tip of the target branch."""
    from registry.load.source import Commit
    from registry.reports.changes.html import report
    from registry.reports.changes.words import comparison_summary
    from registry.review.comparison import compare_sources
    from registry.snapshot import Preview

    repository, commit = source.repository, source.commit
    if repository is None or commit is None:
        raise UsageError("there are no commits to compare with", "omit --preview")
    target = repository.resolve(base)
    comparison = compare_sources(
        Commit(source.root, repository, repository.common_ancestor(target, commit) or target), source
    )
    marks = {(one.kind, one.name): one.what.value for one in comparison.changed}
    return Preview(title, comparison_summary(comparison), marks, report(comparison, home="../").encode())
