"""Private servers: real ones, in a temporary folder, on a Unix socket only or on the loopback address.

MariaDB and PostgreSQL for SQL tables, and Ceph's object gateway, which speaks S3.
"""

import base64
import email.utils
import hmac
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import OperationalError

from tests.support.programs import required_program
from tests.support.waiting import PATIENCE_S, eventually

PASSWORD = "s3cr3t-word"
"""Of all users."""
_KEY_ID = "AKIDPUBLISHER"


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
                required_program("mariadb-install-db"),
                "--no-defaults",
                data,
                "--auth-root-authentication-method=normal",
            ],
            folder,
        )
        server = Server(
            address,
            [required_program("mariadbd"), "--no-defaults", data, f"--socket={address}", "--skip-networking"],
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
        _run([required_program("initdb"), *data, *user, "--encoding=UTF8", "--locale=C"], folder)
        server = Server(
            folder / ".s.PGSQL.5432",
            [required_program("postgres"), *data, "-k", str(folder), "-c", "listen_addresses="],
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


class ObjectGateway:
    """A running object gateway: a store that speaks S3."""

    def __init__(self, port: int) -> None:
        """Describe a gateway on a port of the loopback address."""
        self._port = port
        self._numbers = count(1)
        self.endpoint = f"http://127.0.0.1:{port}"
        self.variables = {
            "AWS_ACCESS_KEY_ID": _KEY_ID,
            "AWS_SECRET_ACCESS_KEY": PASSWORD,
            "AWS_ENDPOINT_URL": self.endpoint,
        }
        """The environment of a publisher."""

    def new_bucket(self) -> str:
        """Return the name of an empty bucket, whose objects can be read by anyone at `endpoint`/name/key."""
        name = f"bucket{next(self._numbers)}"
        self._request("PUT", f"/{name}")
        arn = f"arn:aws:s3:::{name}"
        # Without the right to list, the answer for a missing object is 403.
        rights = {"s3:GetObject": f"{arn}/*", "s3:ListBucket": arn}
        statements = [
            {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource}
            for action, resource in rights.items()
        ]
        policy = {"Version": "2012-10-17", "Statement": statements}
        self._request("PUT", f"/{name}?policy", json.dumps(policy).encode())
        return name

    def signed(self, method: str, path: str) -> dict[str, str]:
        """Return the headers of a request, with the short signature of version 2, which this gateway accepts."""
        date = email.utils.formatdate(usegmt=True)
        digest = hmac.digest(PASSWORD.encode(), f"{method}\n\n\n{date}\n{path}".encode(), "sha1")
        return {"Date": date, "Authorization": f"AWS {_KEY_ID}:{base64.b64encode(digest).decode()}"}

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection to the gateway."""
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)

    def _request(self, method: str, path: str, body: bytes = b"") -> None:
        with closing(self.connection()) as connection:
            connection.request(method, path, body, self.signed(method, path))
            answer = connection.getresponse()
            text = answer.read()
        assert answer.status < 300, (method, path, answer.status, text)


_CEPH = """\
[global]
fsid = {fsid}
mon host = {monitor}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/keyring
run dir = {folder}
admin socket = {folder}/$name.sock
pid file = {folder}/$name.pid
log file = {folder}/$name.log
mon data = {folder}/mon
mon cluster log file = {folder}/cluster.log
mon allow pool size one = true
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 1073741824
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
"""
"""A cluster of one monitor and one store in memory, without a manager."""


@contextmanager
def object_gateway() -> Iterator[ObjectGateway]:
    """A running object gateway of Ceph, whose objects are in memory."""
    with _folder() as folder, ExitStack() as processes:
        *monitor_ports, port = free_ports(3)
        monitor = "[v2:127.0.0.1:{},v1:127.0.0.1:{}]".format(*monitor_ports)
        fsid, store = str(uuid.uuid4()), str(uuid.uuid4())
        (folder / "ceph.conf").write_text(
            _CEPH.format(folder=folder, fsid=fsid, monitor=monitor, port=port), encoding="utf-8"
        )
        for name in ("osd", "rgw"):
            _new_folder(folder / name)

        def run(name: str, *words: str) -> None:
            _run([required_program(name), "--conf", f"{folder}/ceph.conf", *words], folder)

        def start(name: str, *words: str) -> subprocess.Popen[bytes]:
            command = [required_program(name), "--conf", f"{folder}/ceph.conf", *words, "-f"]
            with (folder / "server.log").open("ab") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log, **_other_user(folder))
            processes.callback(process.wait, PATIENCE_S)
            processes.callback(process.kill)  # nothing of it is needed later
            return process

        for words in (
            ["mon.", "--create-keyring", "--cap", "mon", "allow *"],
            ["client.admin", "--cap", "mon", "allow *", "--cap", "osd", "allow *"],
            ["osd.0", "--cap", "mon", "allow profile osd", "--cap", "osd", "allow *"],
        ):
            tool = [required_program("ceph-authtool"), f"{folder}/keyring", "--gen-key", "-n"]
            _run([*tool, *words], folder)
        map_file = f"{folder}/monmap"
        _run(
            [required_program("monmaptool"), "--create", "--fsid", fsid, "--addv", "a", monitor, map_file],
            folder,
        )
        run("ceph-mon", "--mkfs", "-i", "a", "--monmap", map_file, "--keyring", f"{folder}/keyring")
        start("ceph-mon", "-i", "a")
        run("ceph", "osd", "create", store)
        run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", store)
        start("ceph-osd", "-i", "0")
        user = ["--uid", "publisher", "--display-name", "publisher"]
        run("radosgw-admin", "user", "create", *user, "--access-key", _KEY_ID, "--secret-key", PASSWORD)
        gateway = start("radosgw", "-n", "client.admin")

        def answers() -> bool:
            log = (folder / "server.log").read_text(errors="replace")
            assert gateway.poll() is None, f"the gateway ended:\n{log}"
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        eventually(answers, "an answer of the gateway")
        yield ObjectGateway(port)


def free_ports(number: int) -> list[int]:
    """Ports of the loopback address that no program listens to."""
    with ExitStack() as probes:
        found = []
        for _ in range(number):
            probe = probes.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            found.append(probe.getsockname()[1])
        return found


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
        _give_away(folder)
        yield folder
    finally:
        shutil.rmtree(folder)


def _new_folder(folder: Path) -> None:
    folder.mkdir()
    _give_away(folder)


def _give_away(folder: Path) -> None:
    """Make a folder that of the user of the server."""
    if other := _other_user(folder).get("user"):
        shutil.chown(folder, other)


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
