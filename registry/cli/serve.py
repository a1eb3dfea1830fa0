"""`registry serve`: the site on this machine."""

from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.terminal import PollOption, RegistryOption, counted, err, find_root, out, progress, report_bug, show_error, show_problems

if TYPE_CHECKING:
    from registry.errors import Read
    from registry.live import Told
    from registry.server.app import Server


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

    import uvicorn

    from registry.cache import Cache
    from registry.cli.watch import watcher_of
    from registry.errors import UsageError
    from registry.live import Live
    from registry.memory import Memory
    from registry.server import make_app
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
    teller = _Teller(source.read)
    live = Live(root, Memory(Cache(root)), teller)
    app = make_app(live, settings.base_path, report_bug, source.read)
    teller.app = app
    watcher = watcher_of(root, live, poll=poll)
    gc.disable()
    with progress() as say:
        say("reading definitions")
        live.refresh(say)
    # What was read stays: the collector need not walk it again and again. And answers should not wait for long while the
    # other thread reads files anew.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    gc.enable()
    sys.setswitchinterval(0.001)
    watcher.start()
    out.print(f"Catalog and API on http://{host}:{port}{settings.base_path} (Ctrl-C ends it)", markup=False)
    try:
        uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=2)).run(sockets=[listener])
    finally:
        watcher.stop()


class _Teller:
    """Says new states on the terminal, calmly: problems when they come, and that they are gone."""

    def __init__(self, read: "Read") -> None:
        self.app: Server | None = None
        self.read = read
        self._said: object = None

    def __call__(self, told: "Told") -> None:
        if self.app is not None:
            self.app.wake()
        state = told.state
        saying = (state.problems, state.error and state.error.message)
        if saying != self._said:
            self._said = saying
            if state.error is not None:
                show_error(state.error)
            elif state.problems:
                show_problems(state.problems, self.read)
        if state.is_good and state.snapshot is not None:
            err.print(f"Showing {counted(len(state.snapshot.definitions), 'definition')}, read in {told.seconds:.2f} s.")
        elif state.snapshot is not None:
            err.print("The last good state stays until the errors are mended.")
        else:
            err.print("There is nothing to show until the errors are mended.")
