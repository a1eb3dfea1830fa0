"""The server of a bare repository that accepts writes: its parts, put together."""

import re
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from registry.cli.interrupts import raise_if_interrupted
from registry.cli.terminal import err
from registry.errors import RegistryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.server.writable import Access
    from registry.writes.committer import Committer

# How often the server looks for commits of others by default, here and on a remote.
_POLL_S, _POLL_REMOTE_S = 1.0, 5.0
_STOP_WITHIN_S = 8.0


class WritingOptions(NamedTuple):
    """Options of `registry serve --write`."""

    users: Path
    host: str
    port: int
    allow_host: Sequence[str]
    cors: Sequence[str]
    trust_proxy: Sequence[str]
    login_to_read: bool
    behind_tls: bool
    remote: str | None = None
    poll_s: float | None = None


def serve_writes(folder: Path, options: WritingOptions) -> None:
    """Serve a bare repository until a signal ends it. Raises RegistryError when it cannot be served."""
    from registry.cache.build_cache import BuildCache
    from registry.cli.status import StatusView
    from registry.runtime import keep_for_good, without_cycle_collector
    from registry.server import AllowedHosts, CorsPolicy, connection_limit, url_host
    from registry.server.branch import BranchRegistry
    from registry.server.writable import WritableServer
    from registry.writes.committer import Committer
    from registry.writes.main_branch import (
        MainBranch,
        PushRefusedError,
        RacedError,
        RemoteGoneError,
        RewrittenError,
    )

    view = StatusView(lambda _path: None)

    def report(error: RegistryError) -> None:
        view.show("", error=error)

    access = _access(options, report)
    policy = CorsPolicy(options.cors, is_closed=options.login_to_read)
    most = connection_limit()
    with ExitStack() as stack:
        listener = stack.enter_context(closing(_listener(options)))
        branch = MainBranch(folder, BuildCache(), _server_name(options), options.remote, view.note)
        stack.callback(branch.close)
        live = BranchRegistry(login_to_read=options.login_to_read)
        with without_cycle_collector():
            try:
                with branch.lock():
                    branch.follow_remote(accepts_rewritten=True)
            except (RemoteGoneError, RewrittenError, PushRefusedError, RacedError) as error:
                # Readers get the state here; the committer follows the remote before the first write.
                if isinstance(error, RegistryError):
                    report(error)
            state = branch.read()
            live.show(state)
        committer = Committer(branch, state, live.show, report, view.bug)
        base_path = state.snapshot.settings.base_path
        server = WritableServer(
            live,
            committer,
            access,
            _log,
            base_path,
            view.bug,
            lambda _path: None,
            AllowedHosts(_host(options), options.allow_host),
            policy,
        )
        live.notify = server.wake
        keep_for_good()
        # Keeps answers fast while the other thread commits.
        sys.setswitchinterval(0.001)
        committer.start()
        stack.callback(committer.stop, _STOP_WITHIN_S)
        poller = _Poller(committer, options.poll_s or (_POLL_S if options.remote is None else _POLL_REMOTE_S))
        poller.start()
        stack.callback(poller.stop)
        address = f"http://{url_host(_host(options))}:{options.port}{base_path}"
        err.print(f"Catalog and API with writes on {address} (press Ctrl-C to stop)", markup=False)
        raise_if_interrupted()
        server.run(listener, most)


def _server_name(options: WritingOptions) -> str:
    """Return a name that is the same after a restart: the writer cleans up what a killed one has left."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", f"{socket.gethostname()}-{options.port}")


def _access(options: WritingOptions, report: "Callable[[RegistryError], object]") -> "Access":
    from registry.server.writable import Access
    from registry.writes.login import Authenticator
    from registry.writes.request_guards import TrustedProxies
    from registry.writes.users_file import UsersFile

    if options.login_to_read and options.cors:
        raise UsageError("--cors and --login-to-read exclude each other", "leave out --cors")
    authenticator = Authenticator(UsersFile(options.users, report))
    return Access(authenticator, TrustedProxies(options.trust_proxy), options.login_to_read)


def _host(options: WritingOptions) -> str:
    return options.host.removeprefix("[").removesuffix("]")


def _listener(options: WritingOptions) -> "socket.socket":
    """Return the listening socket. Raises UsageError for passwords that would cross a network in the open."""
    from registry.server import is_loopback, listen, url_host

    listener = listen(_host(options), options.port)
    if not is_loopback(listener.getsockname()[0]) and not options.behind_tls:
        listener.close()
        raise UsageError(
            f"passwords would reach {url_host(_host(options))} without encryption",
            "leave out --host and put a proxy with TLS in front; or add --behind-tls if there is one",
        )
    return listener


def _log(line: str) -> None:
    """Write a line of the access log. A reader that has gone, or a full disk, must not end a request."""
    with suppress(OSError, ValueError):
        print(line, flush=True)


class _Poller:
    """Lets the committer look for commits of others from time to time."""

    def __init__(self, committer: "Committer", every_s: float) -> None:
        self._committer, self._every_s = committer, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            self._committer.look()
