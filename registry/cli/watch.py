"""`registry watch`: builds the static site again when files change."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.extras import require_extra
from registry.cli.interrupts import raise_if_interrupted
from registry.cli.options import base_url_option, out_option, poll_option, registry_option
from registry.cli.terminal import counted, find_root, open_cache, out, progress

if TYPE_CHECKING:
    from registry.cli.status import StatusView
    from registry.server.live import LiveRegistry
    from registry.watcher import Watcher

_LOOK_S = 1.0


@click.command("watch")
@registry_option
@out_option
@base_url_option
@poll_option
def command(registry: Path | None, out_: Path | None, base_url: str | None, poll: bool) -> None:
    """Build the static site whenever files change, until Ctrl-C.

    While the files have errors, the last good site stays. `registry serve` shows changes faster and writes no site.

    \b
    Examples:
      registry watch
      registry watch --out /srv/registry --poll
    """
    import time
    from contextlib import suppress

    from registry.cache.build_cache import BuildCache
    from registry.cli.failures import machine_error
    from registry.cli.status import StatusView
    from registry.errors import RegistryError
    from registry.load.settings import overridden
    from registry.load.source import open_source
    from registry.pipeline import build
    from registry.site import Site
    from registry.watcher import Watcher

    given = find_root(registry)
    # Absolute: the current folder may be deleted and created again.
    root = given.absolute()
    source = open_source(root)
    settings = source.settings
    options = {"base_url": base_url}
    overridden(settings, options)  # a wrong value is an error at once
    if settings.tables:
        require_extra("watch", "tables", settings.install_from)
    shown = out_ if out_ is not None else given / settings.output
    site = Site(shown.absolute())
    cache = BuildCache(open_cache(source))
    view = StatusView(source.read)

    def make(_paths: set[str]) -> None:
        try:
            with progress() as report:
                # A new source each time: a source keeps what it has read.
                result = build(open_source(root), site, report, cache=cache, given=options)
        except (RegistryError, OSError) as error:
            view.show(
                "The previous site was kept.",
                error=error if isinstance(error, RegistryError) else machine_error(error),
            )
            return
        if result.snapshot is None:
            view.show("The previous site is kept until the errors are fixed.", problems=result.problems)
        else:
            made = f" Rebuilt {result.changed:,} parts in {result.seconds:.1f} s."
            view.show(
                f"{counted(len(result.snapshot.definitions), 'definition')} in {shown}.",
                made,
                problems=result.problems,
                is_news=result.changed > 0,
            )
            with suppress(RegistryError):  # the next build reports it
                site.prepare_next()

    watcher = Watcher(
        root, lambda: _state_files(root), make, poll=poll, notify=view.note, report_bug=view.bug
    )
    out.print("Watching (press Ctrl-C to stop)", markup=False)
    # The watcher has scanned the files already: a change during this first build is not lost.
    make(set())
    watcher.start()
    try:
        # Not one wait without an end: Python may have ignored an interrupt in a callback.
        while True:
            raise_if_interrupted()
            time.sleep(_LOOK_S)
    finally:
        watcher.stop()


def _state_files(root: Path) -> list[Path]:
    from registry.git import open_repository

    repository = open_repository(root)
    return repository.state_files() if repository is not None else []


def watcher_of(root: Path, live: "LiveRegistry", view: "StatusView", *, poll: bool) -> "Watcher":
    """Return a watcher that keeps a live registry up to date.

    It updates a single edited file at once, and everything that shows it after a pause.
    """
    from functools import lru_cache

    from registry.progress import CancelToken
    from registry.watcher import Watcher

    @lru_cache(maxsize=1)
    def state_files() -> list[Path]:
        return _state_files(root)

    def changed(paths: set[str]) -> bool:
        # Lists and counts follow when the author pauses: an update of everything would delay the page of the
        # next edit.
        if len(paths) == 1 and live.apply_edit(next(iter(paths))):
            return True
        state_files.cache_clear()  # HEAD may be on another branch now
        live.update(watcher.seen)
        return False

    def settled() -> bool:
        return live.update(watcher.seen, CancelToken(lambda: watcher.has_event))

    watcher = Watcher(
        root,
        state_files,
        changed,
        settled=settled,
        pause_s=live.pause_s,
        poll=poll,
        notify=view.note,
        report_bug=view.bug,
    )
    return watcher
