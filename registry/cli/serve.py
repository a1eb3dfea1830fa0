"""`registry serve`: the live server."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.extras import require_extra
from registry.cli.interrupts import raise_if_interrupted
from registry.cli.options import registry_option
from registry.cli.terminal import counted, err, find_root, open_cache, out, progress
from registry.errors import UsageError

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
@click.option(
    "--poll",
    "poll_s",
    is_flag=False,
    flag_value=0.0,
    type=click.FloatRange(0),
    metavar="[SECONDS]",
    help="Poll for changes. Needed on network mounts, which send no file events. With --write: seconds between two "
    "looks for commits of others. Default: 1, with --remote 5.",
)
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
@click.option(
    "--write",
    is_flag=True,
    help="Accept writes: each becomes a commit on the main branch of the bare repository that -C names.",
)
@click.option(
    "--users",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --write: the users file, which `registry user` creates.",
)
@click.option(
    "--remote",
    metavar="NAME",
    help="With --write: the remote that each write is pushed to before it is acknowledged, for example origin.",
)
@click.option("--login-to-read", is_flag=True, help="With --write: reading needs a login, too.")
@click.option(
    "--behind-tls",
    is_flag=True,
    help="With --write: a proxy encrypts all connections. Required on an address that other machines reach.",
)
@click.option(
    "--trust-proxy",
    multiple=True,
    metavar="ADDRESS",
    help="With --write: believe the user in the header Remote-User from this address or network; can be repeated.",
)
def command(
    registry: Path | None,
    host: str,
    port: int,
    poll_s: float | None,
    allow_host: tuple[str, ...],
    cors: tuple[str, ...],
    write: bool,
    users: Path | None,
    remote: str | None,
    login_to_read: bool,
    behind_tls: bool,
    trust_proxy: tuple[str, ...],
) -> None:
    """Serve the site, and reload open pages when files change.

    The site is the HTML catalog and the JSON API. While the files have errors, the last good state is served; the
    errors are shown on the terminal and on the pages. Lists accept limit, offset and filters (process_type,
    application, lifecycle, tag, name, q). Without --write the server is read-only and has no login.

    On a loopback address the server answers only requests for the names of this machine, which prevents DNS rebinding.

    Requires the extra `serve` of this package.

    \b
    Examples:
      registry serve
      registry serve --port 8080
      registry serve --allow-host registry.example.org
      registry serve --write -C registry.git --users /etc/registry/users.yaml
    """
    import sys

    from registry.cache.build_cache import BuildCache
    from registry.cli.status import StatusView
    from registry.cli.watch import watcher_of
    from registry.load.source import open_source
    from registry.runtime import keep_for_good, without_cycle_collector

    if write:
        from registry.cli.writing import WritingOptions, serve_writes

        if registry is None or users is None:
            missing = "-C" if registry is None else "--users"
            raise UsageError(f"--write needs {missing}", "registry serve --write -C REPO.git --users FILE")
        require_extra("serve", "serve", "")
        serve_writes(
            registry.absolute(),
            WritingOptions(
                users, host, port, allow_host, cors, trust_proxy, login_to_read, behind_tls, remote, poll_s
            ),
        )
        return
    if users is not None or remote is not None or login_to_read or behind_tls or trust_proxy:
        raise UsageError(
            "--users, --remote, --login-to-read, --behind-tls and --trust-proxy need --write", "add --write"
        )
    # Absolute: the current folder may be deleted and created again.
    root = find_root(registry).absolute()
    source = open_source(root)
    settings = source.settings
    require_extra("serve", "serve", settings.install_from)
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
    watcher = watcher_of(root, live, view, poll=poll_s is not None)
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
        raise_if_interrupted()
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
