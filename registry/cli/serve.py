"""`registry serve`: the live server."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.extra_serve import require_extra
from registry.cli.options import poll_option, registry_option
from registry.cli.terminal import counted, err, find_root, open_cache, out, progress

if TYPE_CHECKING:
    from registry.cli.status import StatusView
    from registry.server import Server
    from registry.server.live import LiveUpdate


@click.command("serve")
@registry_option
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Address to listen on.")
@click.option(
    "--port", "-p", type=click.IntRange(1, 65535), default=8000, metavar="PORT", help="Port to listen on."
)
@poll_option
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="Also answer requests for this host name, for example from a proxy; can be repeated.",
)
@click.option(
    "--cors",
    multiple=True,
    metavar="ORIGIN",
    help="Allow pages of this origin (* for all) to read the API, including uncommitted content; can be repeated. "
    "Default: all origins, but only while there are no uncommitted changes.",
)
def command(
    registry: Path | None,
    host: str,
    port: int,
    poll: bool,
    allow_host: tuple[str, ...],
    cors: tuple[str, ...],
) -> None:
    """Serve the site, and reload open pages when files change.

    The site is the HTML catalog and the JSON API. While the files have errors, the last good state is served; the
    errors are shown on the terminal and on the pages. Lists accept limit, offset and filters (process_type,
    application, lifecycle, tag, name, q). The server is read-only and has no login.

    On a loopback address the server answers only requests for the names of this machine, which prevents DNS rebinding.

    Requires the extra `serve` of this package.

    \b
    Examples:
      registry serve
      registry serve --port 8080
      registry serve --allow-host registry.example.org
    """
    import sys

    from registry.cache.build_cache import BuildCache
    from registry.cli.status import StatusView
    from registry.cli.watch import watcher_of
    from registry.load.source import open_source
    from registry.runtime import keep_for_good, without_cycle_collector

    # Absolute: the current folder may be deleted and created again.
    root = find_root(registry).absolute()
    source = open_source(root)
    settings = source.settings
    require_extra("serve", settings.install_from)
    from registry.server import (
        AllowedHosts,
        CorsPolicy,
        Server,
        connection_limit,
        is_loopback,
        listen,
        url_host,
    )
    from registry.server.live import LiveRegistry

    policy = CorsPolicy(cors)
    host = host.removeprefix("[").removesuffix("]")
    hosts = AllowedHosts(host, allow_host)
    most = connection_limit()
    listener = listen(host, port)
    if not is_loopback(listener.getsockname()[0]):
        err.print(
            f"warning: every client that can reach {url_host(host)}:{port} can read the registry, "
            "including uncommitted content: "
            "there is no login and no encryption. Omit --host to serve this machine only.",
            markup=False,
        )
    view = StatusView(source.read)
    teller = _Teller(view)
    live = LiveRegistry(root, BuildCache(open_cache(source)), teller)
    server = Server(live, settings.base_path, view.bug, source.read, hosts, policy)
    teller.server = server
    watcher = watcher_of(root, live, view, poll=poll)
    with without_cycle_collector(), progress() as say:
        say("reading definitions")
        live.reload(say, watcher.seen)
    # The garbage collector need not scan the loaded objects, not even once (0.15 s at start). The short
    # switch interval keeps responses fast while the other thread reloads files.
    keep_for_good()
    sys.setswitchinterval(0.001)
    watcher.start()
    out.print(
        f"Catalog and API on http://{url_host(host)}:{port}{settings.base_path} (press Ctrl-C to stop)",
        markup=False,
    )
    teller.begin()
    try:
        server.run(listener, most)
    finally:
        watcher.stop()


class _Teller:
    """Reports new states to open pages and on the terminal."""

    def __init__(self, view: "StatusView") -> None:
        self.server: Server | None = None
        self._view = view
        self._has_begun = False
        self._newest: LiveUpdate | None = None

    def __call__(self, update: "LiveUpdate") -> None:
        if self.server is not None:
            self.server.wake()
        self._newest = update
        if self._has_begun:
            self._show(update)

    def begin(self) -> None:
        """Show the current state on the terminal once the server is ready, then each new state."""
        self._has_begun = True
        if self._newest is not None:
            self._show(self._newest)

    def _show(self, update: "LiveUpdate") -> None:
        state, detail = update.state, f" ({update.seconds:.2f} s)"
        if state.is_good and state.snapshot is not None:
            shown = f"Showing {counted(len(state.snapshot.definitions), 'definition')}."
            self._view.show(shown, detail, problems=state.problems)
        else:
            stays = "The last good state is served" if state.snapshot is not None else "Nothing is served"
            self._view.show(
                f"{stays} until the errors are fixed.",
                detail,
                problems=state.problems if state.error is None else (),
                error=state.error,
            )
