"""`registry publish`: put the built site where it is served."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from registry.cli.extras import require_extra
from registry.cli.options import Format, format_option, out_option, registry_option
from registry.cli.terminal import counted, err, find_root, out, progress, write_json
from registry.errors import UsageError
from registry.runtime import never_collect

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.publish import PublicationPlan
    from registry.publish.destination import Destination
    from registry.publish.hosts import Excess

_MOST_SHOWN = 20


@click.command("publish")
@click.argument("target", metavar="TARGET")
@registry_option
@out_option
@click.option(
    "--remote", metavar="NAME", help="With git:BRANCH: the branch of this remote, for example of origin."
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and which hosts the site fits.")
@click.option("--rollback", is_flag=True, help="Publish the state before the present one again.")
@click.option(
    "--take-over",
    is_flag=True,
    help="With s3: continue at once where another publication was killed. Default: after 5 minutes.",
)
@click.option("--allow-shrink", is_flag=True, help="Publish even if more than 20 % of the files disappear.")
@click.option(
    "--sign",
    "key",
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="Sign with this SSH key, for `registry verify --allowed-signers`.",
)
@format_option
def command(
    target: str,
    registry: Path | None,
    out_: Path | None,
    remote: str | None,
    dry_run: bool,
    rollback: bool,
    take_over: bool,
    allow_shrink: bool,
    key: Path | None,
    format_: Format,
) -> None:
    """Publish the site that `registry build` made.

    TARGET is one of:

    \b
      folder:PATH   a link at PATH, which is replaced at once; the last three publications are kept
      git:BRANCH    a commit on top of a branch, for GitHub Pages and the like; with --remote it is pushed
      rsync:HOST:PATH
                    a link at PATH on another machine, through ssh with your keys and settings; as with folder:
      s3://BUCKET/PREFIX
                    objects in a bucket, with the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and
                    AWS_ENDPOINT_URL; needs the extra s3

    Only files that changed are written. Publishing adds digests of all files in the folder _registry, which `registry
    verify` checks. It refuses to lose ids or a large part of the files, and to touch a folder, branch or bucket with
    files that it did not write (CNAME and .nojekyll may be in a branch).

    \b
    Exit codes:
      0  published, or nothing to do
      2  the site or the target cannot be used
      3  refused, to protect what is published

    \b
    Examples:
      registry build && registry publish folder:/srv/registry/site
      registry publish git:gh-pages --remote origin
      registry publish git:gh-pages --remote origin --dry-run
      registry publish rsync:web@www.example.org:/srv/registry/site
      registry publish s3://my-bucket/registry
      registry publish folder:/srv/registry/site --rollback
    """
    from functools import partial

    from registry.load.source import WorkTree
    from registry.publish import plan_publication, plan_rollback
    from registry.publish.signing import sign
    from registry.site import Site

    never_collect()
    root = find_root(registry)
    settings = WorkTree(root).settings
    context = _Context(root, remote, (settings.bot_name, settings.bot_email), take_over)
    destination = _destination(target, context)
    signer = partial(sign, key=key) if key is not None else None
    with progress() as report:
        if rollback:
            plan = plan_rollback(destination, report, sign=signer)
        else:
            site = Site(out_ if out_ is not None else root / settings.output)
            plan = plan_publication(site, destination, report, allow_shrink=allow_shrink, sign=signer)
        if plan.publication is not None and not dry_run:
            destination.publish(plan.publication, plan.changes, report)
    if format_ == "json":
        write_json(_as_json(plan, is_done=not dry_run))
    elif dry_run:
        _print_dry_run(plan, destination.name)
    elif plan.publication is None:
        out.print(_nothing_to_do(destination.name), markup=False)
    else:
        out.print(f"Published to {destination.name}: {_summary(plan)}", markup=False)


class _Context(NamedTuple):
    """What destinations need besides TARGET: the registry, --remote, --take-over, and who makes commits."""

    root: Path
    remote: str | None
    author: tuple[str, str]
    take_over: bool


def _destination(target: str, context: _Context) -> "Destination":
    form, _, place = target.partition(":")
    if form not in _DESTINATIONS or not place:
        raise UsageError(
            f"{target!r} is not a target", f"as in {', '.join(one.form for one in _DESTINATIONS.values())}"
        )
    if context.remote is not None and form != "git":
        raise UsageError("--remote needs a branch", "as in git:gh-pages --remote origin")
    if context.take_over and form != "s3":
        raise UsageError("--take-over needs a bucket", "as in s3://bucket/prefix --take-over")
    return _DESTINATIONS[form].open(place, context)


def _folder(place: str, _context: _Context) -> "Destination":
    from registry.publish.folder import FolderDestination

    return FolderDestination(Path(place))


def _branch(branch: str, context: _Context) -> "Destination":
    from registry.git import open_repository
    from registry.publish.branch import BranchDestination, signature_now

    repository = open_repository(context.root)
    if repository is None:
        raise UsageError(f"{context.root} is not in a git repository", "publish to a folder")
    return BranchDestination(repository, branch, context.remote, signature_now(*context.author))


def _rsync(place: str, _context: _Context) -> "Destination":
    from registry.load.settings import remote_shell
    from registry.publish.rsync import RsyncDestination

    return RsyncDestination(place, remote_shell())


def _bucket(place: str, context: _Context) -> "Destination":
    require_extra("publish", "s3")
    from registry.load.settings import environment_of_store
    from registry.publish.bucket import open_s3
    from registry.publish.object_store import ObjectStoreDestination

    bucket = open_s3(f"s3:{place}", environment_of_store())
    return ObjectStoreDestination(bucket, _warn, take_over=context.take_over)


def _warn(message: str) -> None:
    err.print(f"warning: {message}", markup=False)


class _Destination(NamedTuple):
    """A form of TARGET, and the function that opens what follows its first colon."""

    form: str
    open: "Callable[[str, _Context], Destination]"


_DESTINATIONS = {
    "folder": _Destination("folder:PATH", _folder),
    "git": _Destination("git:BRANCH", _branch),
    "rsync": _Destination("rsync:HOST:PATH", _rsync),
    "s3": _Destination("s3://BUCKET/PREFIX", _bucket),
}


def _summary(plan: "PublicationPlan") -> str:
    changes = plan.changes
    return (
        f"{counted(len(changes.written), 'file')} written ({_megabytes(changes.size)}), "
        f"{len(changes.removed):,} removed, {plan.files:,} in all."
    )


def _nothing_to_do(place: str) -> str:
    return f"Nothing to do: {place} shows this site."


def _print_dry_run(plan: "PublicationPlan", place: str) -> None:
    changes = plan.changes
    for mark, paths in (("+", changes.written), ("-", changes.removed)):
        for path in paths[:_MOST_SHOWN]:
            out.print(f"{mark} {path}", markup=False)
        if len(paths) > _MOST_SHOWN:
            out.print(f"{mark} … and {len(paths) - _MOST_SHOWN:,} more", markup=False)
    if plan.publication is None:
        out.print(_nothing_to_do(place), markup=False)
    elif plan.only_signs:
        out.print("Would publish another signature; the files stay as they are.", markup=False)
    else:
        out.print(f"Would publish: {_summary(plan)} The site has {_megabytes(plan.size)}.", markup=False)
    size = plan.published
    out.print(
        f"With the digests that publishing adds: {size.files:,} files and {size.folders:,} folders, "
        f"{_megabytes(size.bytes)}.",
        markup=False,
    )
    for name, exceeded in plan.hosts().items():
        reasons = "; ".join(map(_excess, exceeded))
        out.print(f"{name}: {f'too large: {reasons}' if reasons else 'fits'}", markup=False)


def _excess(found: "Excess") -> str:
    if found.what == "largest_file":
        return f"a file of {_megabytes(found.value)}, at most {_megabytes(found.limit)}"
    if found.what == "bytes":
        return f"{_megabytes(found.value)}, at most {_megabytes(found.limit)}"
    what = "files and folders" if found.what == "entries" else "files"
    return f"{found.value:,} {what}, at most {found.limit:,}"


def _as_json(plan: "PublicationPlan", *, is_done: bool) -> dict[str, object]:
    changes = plan.changes
    return {
        "published": is_done and plan.publication is not None,
        "only_signature": plan.only_signs,
        "sequence": plan.sequence if plan.publication is not None else plan.sequence - 1,
        "written": list(changes.written),
        "removed": list(changes.removed),
        "bytes": changes.size,
        "files": plan.files,
        "folders": plan.folders,
        "site_bytes": plan.size,
        "published_size": plan.published._asdict(),
        "hosts": {
            name: {"fits": not exceeded, "exceeded": [one._asdict() for one in exceeded]}
            for name, exceeded in plan.hosts().items()
        },
    }


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"
