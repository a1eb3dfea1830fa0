"""The users file on disk: a private YAML file outside of every repository.

`UsersFile` serves the current users and reads the file again when it changes. `edit_users_file` changes the
file under a lock, keeps all other lines with their comments, and replaces it atomically.
"""

import copy
import errno
import io
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from registry.errors import RefusedError, RegistryError, UsageError, system_message
from registry.files.atomic_write import replace_file
from registry.git import find_work_tree, looks_like_git_dir
from registry.load import yaml
from registry.load.file_stats import Facts, facts_of, is_settled
from registry.load.yaml.writer import to_yaml
from registry.writes.users import Users, parse_users

_NEW_FILE = (
    b"# Users and tokens of a registry server. `registry user` and `registry token` edit this file.\n"
    b"users: {}\n"
)
# An edit takes milliseconds: a command that holds the lock for longer has stopped.
_LOCK_TIMEOUT_S = 10.0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

_Pointer = tuple[str, ...]
Changes = Mapping[_Pointer, Any]
"""New values by pointer, as in `("users", "alice", "password")`; None removes the value."""


def locate_users_file(given: Path) -> Path:
    """Return the absolute path of a users file, with links resolved.

    Raises RefusedError for a place in a git work tree or repository: a commit could publish the file.
    """
    # Resolve links first: the place of the file itself decides, not that of a link to it.
    path = Path(os.path.realpath(given))
    found = find_work_tree(path.parent)
    around = found.top if found is not None else next(filter(looks_like_git_dir, path.parents), None)
    if around is not None:
        raise RefusedError(
            f"{given} is inside the git repository {around}, where a commit could publish the passwords",
            "keep the users file outside, as in --users /etc/registry/users.yaml",
        )
    return path


class UsersFile:
    """The current users of a file.

    Each access costs one system call; the file is read again only if its metadata changed. While the file is
    missing, broken or readable by others, the last valid users stay.
    """

    def __init__(self, path: Path, report: Callable[[RegistryError], object]) -> None:
        """Read the file. `report` receives each later error once.

        Raises RefusedError for a file inside a repository or one that other users can access, UsageError for
        a missing or invalid file.
        """
        self._path = locate_users_file(path)
        self._report = report
        self._facts: Facts | None = None
        self._is_settled = False
        self._data = b""
        self._look()
        self._users = self._read()

    @property
    def current(self) -> Users:
        """The users in the file now, or the last valid ones. The same object until the file changes.

        Never raises: RefusedError and UsageError for the file are reported.
        """
        if self._look():
            try:
                self._users = self._read()
            except RegistryError as error:
                self._report(error)
        return self._users

    def _look(self) -> bool:
        """Return True if the file may have changed since the last call."""
        now = time.time_ns()
        try:
            facts: Facts = facts_of(self._path.stat())
        except OSError as error:
            facts = (-(error.errno or 1), 0, 0, 0)
        if facts == self._facts and self._is_settled:
            return False
        is_new = facts != self._facts
        self._facts, self._is_settled = facts, is_settled(facts[1], now)
        # Two writes within the resolution of the clock leave the same metadata: compare the content.
        return is_new or _content(self._path) != self._data

    def _read(self) -> Users:
        self._data = b""
        self._data = read_users_file(self._path)
        return parse_users(self._data, str(self._path))


def _content(path: Path) -> bytes:
    try:
        return read_users_file(path)
    except RegistryError:
        return b""


def load_users(path: Path) -> Users:
    """Return the users in a file now. Raises RefusedError and UsageError as `UsersFile` does."""
    return parse_users(read_users_file(locate_users_file(path)), str(path))


def read_users_file(path: Path) -> bytes:
    """Return the content of a users file.

    Raises RefusedError unless the file belongs to this user and is closed to all others, UsageError if it
    cannot be read or is too large.
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            # The open file is checked, not the path, which could name another file by then.
            _require_private(path, os.fstat(file.fileno()))
            # One byte more than allowed shows that the file is too large, without reading the rest.
            data = file.read(yaml.MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no users file {path}", f"registry user add NAME --email ADDRESS --users {path}"
        ) from error
    except OSError as error:
        raise UsageError(f"the users file cannot be read: {system_message(error)}") from error
    if len(data) > yaml.MAX_BYTES:
        raise UsageError(f"{path} has more than {yaml.MAX_BYTES:,} bytes", "remove expired tokens")
    return data


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file; for a pipe, do not wait for its other end."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _require_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RefusedError(f"{path} is not a regular file", "name a file with --users")
    if not hasattr(os, "getuid"):
        return  # Windows: the mode says nothing about access
    if status.st_uid != os.geteuid():
        raise RefusedError(
            f"{path} belongs to another user (number {status.st_uid})",
            "run the command as that user, or change the owner with `chown`",
        )
    if status.st_mode & _OTHERS:
        raise RefusedError(
            f"other users can access {path}: its mode is {stat.S_IMODE(status.st_mode):04o}, not 0600",
            f"chmod 600 {path}",
        )


def edit_users_file(path: Path, plan: Callable[[Users], Changes], *, creates: bool = False) -> Users:
    """Change the users file under a lock, and return the users before the change.

    `plan` receives the current users and returns the changes. `creates`: a missing or empty file has no users
    yet. Lines that do not change stay byte for byte. Raises RefusedError and UsageError as `UsersFile` does,
    the errors of `plan`, and UsageError if the result would be invalid or another command holds the lock for
    10 seconds; the file is unchanged then.
    """
    place = locate_users_file(path)
    with _locked(place):
        is_missing = creates and not os.path.lexists(place)
        before = b"" if is_missing else read_users_file(place)
        if creates and not before.strip():
            before = _NEW_FILE
        users = parse_users(before, str(path))
        # Planned under the lock, on the users that the file has now: two commands at once must not undo each
        # other.
        after = edited(before, plan(users), str(path))
        if after != before:
            replace_file(place, after, is_private=True)
    return users


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    if not path.parent.is_dir():  # FileLock would create it
        raise UsageError(f"there is no folder {path.parent}", f"mkdir -p {path.parent}")
    # A file of its own: the users file is replaced by a rename, so a lock on it would be on the old file.
    lock = path.with_name(f".{path.name}.lock")
    if lock.is_symlink():
        raise RefusedError(f"{lock} is a link", "remove it: the lock is a regular file")
    try:
        with FileLock(lock, timeout=_LOCK_TIMEOUT_S, mode=0o600):
            yield
    except Timeout as error:
        raise UsageError(f"another command is changing {path}", "try again") from error
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise
        raise UsageError(f"{path} cannot be changed: {system_message(error)}") from error


def edited(data: bytes, changes: Changes, path: str) -> bytes:
    """Return the text of a users file with `changes`, in which all other lines are unchanged.

    Raises UsageError if the text cannot be changed in this way, or if the result would be invalid.
    """
    wanted = copy.deepcopy(yaml.read_data(data))
    text = data.decode()
    for pointer, value in changes.items():
        text = _remove(text, pointer) if value is None else _put(text, pointer, value)
        _apply(wanted, pointer, value)
        if len(text.encode()) > yaml.MAX_BYTES:
            raise UsageError(
                f"{path} would have more than {yaml.MAX_BYTES:,} bytes", "remove expired tokens first"
            )
        # The edit works on lines. Comparing the result with the intended data catches every layout that it
        # cannot handle.
        if yaml.read_data(text.encode()) != wanted:
            raise UsageError(
                f"{path} has a form that this command cannot edit",
                "write each user and token on lines of its own, without { }, or edit the file by hand",
            )
    result = text.encode()
    parse_users(result, path)
    return result


def _apply(data: Any, pointer: _Pointer, value: Any) -> None:
    *parents, last = pointer
    for step in parents:
        data = data.setdefault(step, {})
    if value is None:
        del data[last]
    else:
        data[last] = value


def _put(text: str, pointer: _Pointer, value: Any) -> str:
    """Set the value at `pointer`: replace its lines, or add them at the end of its map."""
    data: Any = yaml.read_data(text.encode())
    for depth, step in enumerate(pointer[:-1], 1):
        if not data.get(step):  # a missing or empty map is written with its content
            return _put(text, pointer[:depth], _nested(pointer[depth:], value))
        data = data[step]
    lines = _lines(text)
    if pointer[-1] in data:
        start, end = _extent(text, pointer)
    else:
        start = end = _extent(text, pointer[:-1])[1] if len(pointer) > 1 else len(lines)
    column = _key_place(text, (*pointer[:-1], next(iter(data))))[1]
    new = [f"{' ' * column}{line}" for line in _lines(to_yaml({pointer[-1]: value}))]
    # The last line of the file may have no end, and the new lines follow it.
    if start and not lines[start - 1].endswith("\n"):
        lines[start - 1] += "\n"
    return "".join([*lines[:start], *new, *lines[end:]])


def _nested(pointer: _Pointer, value: Any) -> Any:
    for step in reversed(pointer):
        value = {step: value}
    return value


def _remove(text: str, pointer: _Pointer) -> str:
    """Remove the lines of the value at `pointer`; a map without any other value becomes `{}`."""
    data: Any = yaml.read_data(text.encode())
    for step in pointer[:-1]:
        data = data[step]
    if len(data) == 1 and len(pointer) > 1:
        return _put(text, pointer[:-1], {})
    start, end = _extent(text, pointer)
    lines = _lines(text)
    return "".join([*lines[:start], *lines[end:]])


def _extent(text: str, pointer: _Pointer) -> tuple[int, int]:
    """Return the first line of the value at `pointer`, with its key, and the line after its last one.

    Blank lines and comments after the value do not belong to it.
    """
    start, indent = _key_place(text, pointer)
    end = start + 1
    for number, line in enumerate(_lines(text)[end:], end + 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        column = len(line) - len(line.lstrip(" "))
        # A list may stand below its key without further indentation.
        if column < indent or (column == indent and not words.startswith("- ")):
            break
        end = number
    return start, end


def _key_place(text: str, pointer: _Pointer) -> tuple[int, int]:
    """Return line and column of the key at `pointer`, both from 0."""
    document = yaml.read(text.encode(), "").document
    assert document is not None, "the caller parsed this text"
    span = document.span(pointer, key=True)
    return span.line - 1, span.column - 1


def _lines(text: str) -> list[str]:
    """Return the lines with their ends. Other characters that Unicode treats as line ends do not count."""
    return io.StringIO(text, newline="\n").readlines()
