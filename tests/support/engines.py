"""Private servers of MariaDB and PostgreSQL: real ones, in a temporary folder, on a Unix socket only."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import OperationalError

from tests.support.waiting import PATIENCE_S, eventually

PASSWORD = "s3cr3t-word"
"""Of all users."""
_DEBIAN_FOLDERS = ["/usr/sbin", "/usr/local/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]


class Server:
    """A database server, which runs from `start` to `stop`."""

    def __init__(
        self,
        address: Path,
        command: Sequence[str],
        stop_signal: signal.Signals,
        administrator: URL,
        new: Sequence[str],
    ) -> None:
        """Describe a server with a socket at `address`.

        `stop_signal` is the signal that ends the server and its connections, `administrator` the URL of a user with all rights.
        `new` consists of the statements that add the user `{name}`, and a database with the same name for this user.
        """
        self._address = address
        self._log = address.parent / "server.log"
        self._command = command
        self._stop_signal = stop_signal
        self.administrator = administrator
        self._new = new
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(self._command, stdout=log, stderr=log, **_other_user(self._log.parent))
        self._process = process

        def answers() -> bool:
            assert process.poll() is None, f"the server ended:\n{self._log.read_text()}"
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(self._address)):
                    return False
            try:
                self.execute("SELECT 1")
            except OperationalError:  # PostgreSQL: "the database system is starting up"
                return False
            return True

        eventually(answers, "an answer of the server")

    def stop(self) -> None:
        """Stop the server, and wait until it ended. The databases remain."""
        if self._process is not None:
            self._process.send_signal(self._stop_signal)
            self._process.wait(PATIENCE_S)

    def new_database(self) -> URL:
        """Return the URL of an empty database, whose user has no other rights."""
        name = f"registry{next(self._numbers)}"
        for statement in self._new:
            self.execute(statement.format(name=name))
        return self.administrator.set(username=name, password=PASSWORD, database=name)

    def execute(self, statement: str) -> Any:
        """Execute a statement as the administrator. Return the first value of its rows; None if it gives none."""
        engine = create_engine(self.administrator, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                result = connection.execute(text(statement))
                return result.scalar() if result.returns_rows else None
        finally:
            engine.dispose()


@contextmanager
def mariadb() -> Iterator[Server]:
    """A running MariaDB with its default settings."""
    with _folder() as folder:
        data, address = f"--datadir={folder}/data", folder / "socket"
        _run(
            [
                _program("mariadb-install-db"),
                "--no-defaults",
                data,
                "--auth-root-authentication-method=normal",
            ],
            folder,
        )
        server = Server(
            address,
            [_program("mariadbd"), "--no-defaults", data, f"--socket={address}", "--skip-networking"],
            signal.SIGTERM,
            URL.create("mysql+pymysql", "root", host="localhost", query={"unix_socket": str(address)}),
            (
                f"CREATE USER {{name}}@localhost IDENTIFIED BY '{PASSWORD}'",
                "CREATE DATABASE {name}",
                "GRANT ALL ON {name}.* TO {name}@localhost",
            ),
        )
        with _running(server):
            yield server


@contextmanager
def postgresql() -> Iterator[Server]:
    """A running PostgreSQL with its default settings."""
    with _folder() as folder:
        password_file = folder / "password"
        password_file.write_text(PASSWORD)
        data = ["-D", f"{folder}/data"]
        user = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password_file}"]
        _run([_program("initdb"), *data, *user, "--encoding=UTF8", "--locale=C"], folder)
        server = Server(
            folder / ".s.PGSQL.5432",
            [_program("postgres"), *data, "-k", str(folder), "-c", "listen_addresses="],
            signal.SIGINT,
            URL.create(
                "postgresql+psycopg", "postgres", PASSWORD, database="postgres", query={"host": str(folder)}
            ),
            (
                f"CREATE USER {{name}} PASSWORD '{PASSWORD}'",
                "CREATE DATABASE {name} OWNER {name}",
                "REVOKE ALL ON DATABASE {name} FROM PUBLIC",
            ),
        )
        with _running(server):
            yield server


@contextmanager
def _running(server: Server) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        server.stop()


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder of the user of the server. Not pytest's: other users cannot enter it, and it has a long path, while the
    address of a socket ends at 107 bytes.
    """
    folder = Path(tempfile.mkdtemp(prefix="engine-", dir="/tmp"))
    try:
        if other := _other_user(folder).get("user"):
            shutil.chown(folder, other)
        yield folder
    finally:
        shutil.rmtree(folder)


def _program(name: str) -> str:
    path = os.pathsep.join([os.environ["PATH"], *_DEBIAN_FOLDERS])
    found = shutil.which(name, path=path)
    assert found, f"{name} is not installed: scripts/install-engines"
    return found


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, capture_output=True, check=False, text=True, **_other_user(folder))
    assert done.returncode == 0, done.stdout + done.stderr


def _other_user(folder: Path) -> dict[str, Any]:
    """Options of `subprocess` for a program that works in `folder` and refuses to run as root."""
    options: dict[str, Any] = {"cwd": folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    return options
