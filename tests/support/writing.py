"""A bare registry served with writes by the real command, and a client of it."""

import base64
import http.client
import io
import json
import os
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from registry.cli import main
from tests.support.nginx import free_port, wait_for
from tests.support.waiting import PATIENCE_S

USER, PASSWORD = "alice", "a-long-password"
LIST = "/api/process_definition/"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as data."""
        return json.loads(self.body)

    @property
    def etag(self) -> str:
        """The entity tag."""
        return self.headers["etag"]

    @property
    def id(self) -> int:
        """The id in `Location`."""
        return int(self.headers["location"].rstrip("/").rpartition("/")[2])


@dataclass
class Client:
    """One client, logged in; each request has a connection of its own."""

    address: str
    login: str = f"{USER}:{PASSWORD}"

    def send(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request: `body` is bytes, an iterator of chunks, or data that becomes JSON."""
        is_raw = body is None or isinstance(body, (bytes, Iterator))
        data: Any = body if is_raw else json.dumps(body).encode()
        sent = (
            {"Authorization": f"Basic {base64.b64encode(self.login.encode()).decode()}"} if self.login else {}
        )
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        parts = urlsplit(self.address)
        with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)) as one:
            one.request(
                method,
                path,
                data,
                {name: value for name, value in sent.items() if value},
                encode_chunked=isinstance(data, Iterator),
            )
            answer = one.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())

    def post(self, body: object, **headers: str) -> Answer:
        """Add a definition."""
        return self.send("POST", LIST, body, _named(headers))

    def put(self, number: int, body: object, **headers: str) -> Answer:
        """Replace a definition."""
        return self.send("PUT", f"{LIST}{number}/", body, _named(headers))

    def patch(self, number: int, body: object, **headers: str) -> Answer:
        """Change a definition."""
        return self.send("PATCH", f"{LIST}{number}/", body, _named(headers))

    def delete(self, number: int, **headers: str) -> Answer:
        """Delete a definition."""
        return self.send("DELETE", f"{LIST}{number}/", None, _named(headers))

    def restore(self, number: int) -> Answer:
        """Restore a deleted definition."""
        return self.send("POST", f"{LIST}{number}/restore/")

    def get(self, path: str | int, **headers: str) -> Answer:
        """Read an address, or a definition by its id."""
        return self.send("GET", path if isinstance(path, str) else f"{LIST}{path}/", None, _named(headers))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class WriteServer:
    """A server process, its repository, and its address."""

    repository: Path
    users: Path
    address: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def client(self, login: str = f"{USER}:{PASSWORD}") -> Client:
        """A new client."""
        return Client(self.address, login)

    def git(self, *arguments: str) -> str:
        """What git prints about the repository."""
        command = ["git", *arguments]
        found = subprocess.run(
            command, cwd=self.repository, check=True, capture_output=True, timeout=PATIENCE_S
        )
        return found.stdout.decode()

    def request_ids(self) -> Counter[str]:
        """How many commits of the main branch have each request id."""
        printed = self.git("log", "--format=%(trailers:key=Request-Id,valueonly)", "refs/heads/main")
        return Counter(line for line in printed.splitlines() if line)

    def head(self) -> str:
        """The commit of the main branch."""
        return self.git("rev-parse", "refs/heads/main").strip()


def new_bare_registry(folder: Path, settings: str = "rules: {R001: warning}\n") -> Path:
    """A bare registry without definitions, with these lines added to its settings."""
    with tarfile.open(fileobj=io.BytesIO(_packed_registry(settings))) as packed:
        packed.extractall(folder, filter="fully_trusted")
    return folder / "registry.git"


@cache
def _packed_registry(settings: str) -> bytes:
    """A tar file of a new bare registry: it takes a dozen processes of git to make one."""
    packed = io.BytesIO()
    with TemporaryDirectory() as folder, tarfile.open(fileobj=packed, mode="w") as file:
        bare = Path(folder) / "registry.git"
        assert main(["init", "--bare", str(bare)]) == 0
        if settings:
            commit_files(bare, {"registry.yaml": lambda text: text + settings.encode()})
        file.add(bare, bare.name)
    return packed.getvalue()


def commit_files(bare: Path, edits: dict[str, Any], message: str = "Edit by hand") -> str:
    """Commit files to the main branch, each made from the bytes before (b"": none), and return the commit.

    None as a result removes a file.
    """
    work = bare.parent / f"work-{os.getpid()}-{len(list(bare.parent.iterdir()))}"
    run = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    subprocess.run([*run, "clone", "-q", "--no-local", str(bare), str(work)], check=True, timeout=PATIENCE_S)
    for path, edit in edits.items():
        file = work / path
        data = edit(file.read_bytes() if file.exists() else b"")
        if data is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    for arguments in (
        ["add", "-A"],
        ["commit", "-qm", message, "--allow-empty"],
        ["push", "-q", "origin", "main"],
    ):
        subprocess.run([*run, *arguments], cwd=work, check=True, timeout=PATIENCE_S, capture_output=True)
    found = subprocess.run([*run, "rev-parse", "HEAD"], cwd=work, check=True, capture_output=True)
    return found.stdout.decode().strip()


def registry_of(folder: Path, count: int, settings: str = "rules: {R001: warning}\n") -> Path:
    """A bare registry with as many definitions, which have ids from 1."""
    bare = new_bare_registry(folder, settings)
    edits: dict[str, Any] = {}
    for number in range(1, count + 1):
        text = (
            f"title: Definition {number}\nowners: [team]\ndefinition: {{exec: /bin/d{number}, timeout: 5}}\n"
        )
        path = f"definitions/process_definition/many/{number // 256}/d{number}.yaml"
        edits[path] = partial(_content, text.encode())
    commit_files(bare, edits, "Add many")
    command = [sys.executable, "-m", "registry", "index", "-C", str(bare)]
    subprocess.run(command, check=True, capture_output=True, timeout=10 * PATIENCE_S)
    return bare


def _content(new: bytes, _before: bytes) -> bytes:
    return new


def new_users(folder: Path, *options: str) -> Path:
    """A users file with one user."""
    users = folder / "users.yaml"
    users.touch(0o600)
    users.write_bytes(_users_file(options))
    return users


@cache
def _users_file(options: tuple[str, ...]) -> bytes:
    """A users file: a password takes long to hash."""
    with TemporaryDirectory() as folder:
        users = Path(folder) / "users.yaml"
        command = [sys.executable, "-m", "registry", "user", "add", USER, "--email", "alice@example.org",
                   "--name", "Alice Example", "--users", str(users), "--password-stdin", *options]  # fmt: skip
        subprocess.run(
            command, input=f"{PASSWORD}\n".encode(), check=True, capture_output=True, timeout=PATIENCE_S
        )
        return users.read_bytes()


@contextmanager
def write_server(bare: Path, users: Path, *options: str, port: int = 0) -> Iterator[WriteServer]:
    """Serve a bare registry, on a free port by default; its output is in a file beside it."""
    port = port or free_port()
    log = bare.parent / f"serve-{port}.log"
    command = [sys.executable, "-m", "registry", "serve", "--write", "-C", str(bare), "--users", str(users),
               "--port", str(port), *options]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={"PATH": os.environ["PATH"]})
    try:
        wait_for(port, process)
        yield WriteServer(bare, users, f"http://127.0.0.1:{port}", process, log)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
