"""`registry serve`: the site on this machine."""

from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.terminal import PollOption, RegistryOption, counted, find_root, out, progress

if TYPE_CHECKING:
    from registry.cli.status import StatusView
    from registry.live import Told
    from registry.server import Server


def command(
    registry: RegistryOption = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; left out: this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", help="Port to listen on.", min=1, max=65535)] = 8000,
    poll: PollOption = False,
) -> None:
    """Serve catalog and API as the files are now; open pages show what is saved, at once.

    With errors in the files the last good state stays, and the errors are shown here and over the page. Lists take `limit`,
    `offset` and filters (`process_type`, `application`, `lifecycle`, `tag`, `name`, `q`); nothing is written.

    Example: `registry serve --port 8080`
    """
    import gc
    import socket
    import sys

    from registry.cache import Cache
    from registry.cli.status import StatusView
    from registry.cli.watch import watcher_of
    from registry.errors import UsageError
    from registry.live import Live
    from registry.memory import Memory
    from registry.server import Server
    from registry.settings import SETTINGS_PATH, parse_settings
    from registry.source import open_source

    root = find_root(registry)
    source = open_source(root)
    settings, _ = parse_settings(source.read(SETTINGS_PATH))
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(f"{host}:{port} cannot be listened on: {error.strerror}", "choose another with --port") from error
    view = StatusView(source.read)
    teller = _Teller(view)
    live = Live(root, Memory(Cache(root)), teller)
    server = Server(live, settings.base_path, view.bug, source.read)
    teller.server = server
    watcher = watcher_of(root, live, view, poll=poll)
    gc.disable()
    with progress() as say:
        say("reading definitions")
        live.refresh(say, watcher.seen)
    # What was read stays: the collector need not walk it again and again, nor once (0.15 s of the start). And answers should
    # not wait for long while the other thread reads files anew.
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    gc.enable()
    sys.setswitchinterval(0.001)
    watcher.start()
    out.print(f"Catalog and API on http://{host}:{port}{settings.base_path} (Ctrl-C ends it)", markup=False)
    teller.begin()
    try:
        server.run(listener)
    finally:
        watcher.stop()


class _Teller:
    """Says new states to open pages, and on the terminal."""

    def __init__(self, view: "StatusView") -> None:
        self.server: Server | None = None
        self._view = view
        self._has_begun = False
        self._newest: Told | None = None

    def __call__(self, told: "Told") -> None:
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

    def _say(self, told: "Told") -> None:
        state, detail = told.state, f" ({told.seconds:.2f} s)"
        if state.is_good and state.snapshot is not None:
            shown = f"Showing {counted(len(state.snapshot.definitions), 'definition')}."
            self._view.show(shown, detail, problems=state.problems)
        else:
            stays = "The last good state stays" if state.snapshot is not None else "There is nothing to show"
            self._view.show(
                f"{stays} until the errors are mended.", detail, problems=state.problems if state.error is None else (), error=state.error
            )
