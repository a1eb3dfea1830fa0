"""`registry serve`: the site on this machine."""

from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.terminal import (
    PollOption,
    RegistryOption,
    counted,
    err,
    find_root,
    open_cache,
    out,
    progress,
)

if TYPE_CHECKING:
    from registry.cli.status import StatusView
    from registry.server import Server
    from registry.server.live import LiveUpdate


def command(
    registry: RegistryOption = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; left out: this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", help="Port to listen on.", min=1, max=65535)] = 8000,
    poll: PollOption = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            help="Also answer requests for this host name, as from a proxy; may be given several times.",
            metavar="NAME",
        ),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(
            "--cors",
            help="Let pages of this origin read the API, uncommitted content too; `*` for all. "
            "Left out: pages of any origin, and only while everything is committed.",
            metavar="ORIGIN",
        ),
    ] = None,
) -> None:
    """Serve catalog and API as the files are now; open pages show what is saved, at once.

    With errors in the files the last good state stays, and the errors are shown here and over the page. Lists take `limit`,
    `offset` and filters (`process_type`, `application`, `lifecycle`, `tag`, `name`, `q`); nothing is written.

    On a loopback address only requests for this machine's names are answered, so that a page on the web cannot read the registry
    by DNS rebinding. There is no login.

    Examples: `registry serve --port 8080` · `registry serve --allow-host registry.example.org`
    """
    import sys

    from registry.cache.build_cache import BuildCache
    from registry.cli.status import StatusView
    from registry.cli.watch import watcher_of
    from registry.load.source import open_source
    from registry.runtime import keep_for_good, without_cycle_collector
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

    # Absolute: the folder that we were started in may be deleted and made again.
    root = find_root(registry).absolute()
    source = open_source(root)
    settings = source.settings
    policy = CorsPolicy(cors or ())
    host = host.removeprefix("[").removesuffix("]")
    hosts = AllowedHosts(host, allow_host or ())
    most = connection_limit()
    listener = listen(host, port)
    if not is_loopback(listener.getsockname()[0]):
        err.print(
            f"warning: everybody who can reach this machine at {url_host(host)}:{port} can read the registry, uncommitted content too: "
            "there is no login and no encryption. Leave out --host to serve this machine only.",
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
        live.refresh(say, watcher.seen)
    # The collector need not scan what was read, not even once (0.15 s of the start). And answers should not wait for long while
    # the other thread reads files.
    keep_for_good()
    sys.setswitchinterval(0.001)
    watcher.start()
    out.print(
        f"Catalog and API on http://{url_host(host)}:{port}{settings.base_path} (Ctrl-C ends it)",
        markup=False,
    )
    teller.begin()
    try:
        server.run(listener, most)
    finally:
        watcher.stop()


class _Teller:
    """Says new states to open pages, and on the terminal."""

    def __init__(self, view: "StatusView") -> None:
        self.server: Server | None = None
        self._view = view
        self._has_begun = False
        self._newest: LiveUpdate | None = None

    def __call__(self, told: "LiveUpdate") -> None:
        if self.server is not None:
            self.server.wake()
        self._newest = told
        if self._has_begun:
            self._say(told)

    def begin(self) -> None:
        """The server is ready: from now on the terminal shows the newest state."""
        self._has_begun = True
        if self._newest is not None:
            self._say(self._newest)

    def _say(self, told: "LiveUpdate") -> None:
        state, detail = told.state, f" ({told.seconds:.2f} s)"
        if state.is_good and state.snapshot is not None:
            shown = f"Showing {counted(len(state.snapshot.definitions), 'definition')}."
            self._view.show(shown, detail, problems=state.problems)
        else:
            stays = "The last good state stays" if state.snapshot is not None else "There is nothing to show"
            self._view.show(
                f"{stays} until the errors are mended.",
                detail,
                problems=state.problems if state.error is None else (),
                error=state.error,
            )
