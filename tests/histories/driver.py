"""A machine that invents histories on real git: authors, merges, accidents and indexers, from a seed.

Each definition carries a mark of its own ("dna", in its title) from the day it is added, through edits, renames and
restores; a copy and a definition written anew get another one. So whether an id stayed with its definition can be told
without asking the code that is tested.
"""

import json
import os
import random
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from registry.errors import RefusedError
from registry.ids import Ledger, all_lines, parse_ledger_files, verify
from registry.indexing.indexer import IndexOptions, index
from registry.model.definition import LEDGER_PATH, is_ledger_path
from registry.model.ledger_files import LedgerFiles
from registry.model.problem import Problem, has_errors
from registry.review.review import review

FOLDER = "definitions/process_definition/"
SETTINGS = b"registry_id: invented-1\n"
NAMES = ("a", "b", "c", "d", "w/a", "w/b", "w/c", "x", "y", "z")
_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}

Files = dict[str, bytes]
Indexer = Callable[[Path, bool], None]
"""Gives ids on the hub's main from a clone; with True it takes a published ledger back. Raises RefusedError."""


@contextmanager
def segments_of(lines: int) -> Iterator[None]:
    """Seal segments of the ledger after this many lines, so that short histories have many."""
    with patch("registry.ids.segments.SEGMENT_LINES", lines):
        yield


class BrokenPromiseError(AssertionError):
    """A promise that was broken."""


def ledger_files(files: Files) -> LedgerFiles:
    found = {path: data for path, data in files.items() if is_ledger_path(path)}
    return LedgerFiles(found.pop(LEDGER_PATH, b""), found)


def ledger_of(files: Files) -> tuple[Ledger, tuple[Problem, ...]]:
    return parse_ledger_files(ledger_files(files), "invented-1")


def id_of(data: bytes) -> int | None:
    found = re.search(rb"^id: ([0-9]+)$", data, re.MULTILINE)
    return int(found[1]) if found else None


def dna_of(data: bytes) -> str:
    found = re.search(rb"dna-[0-9]+", data)
    assert found, data
    return found.group().decode()


def without_id(data: bytes) -> bytes:
    return re.sub(rb"^id: [0-9]+\n", b"", data, flags=re.MULTILINE)


def with_id(data: bytes, number: int) -> bytes:
    return b"id: %d\n" % number + without_id(data)


@dataclass
class Change:
    """A branch that wants to get into main."""

    head: str
    files: Files


@dataclass
class Memory:
    """What consumers and the machine remember of ids."""

    dna: dict[int, str] = field(default_factory=dict)
    names: dict[int, set[str]] = field(default_factory=dict)
    live: dict[str, int] = field(default_factory=dict)
    at: dict[int, str] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


class Hub:
    """A bare repository, written to through git's plumbing, as a forge does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "-q", "--bare", "-b", "main", str(path), cwd=path.parent)

    def git(
        self, *words: str, stdin: bytes | None = None, cwd: Path | None = None, ok: tuple[int, ...] = (0,)
    ) -> bytes:
        done = subprocess.run(
            ["git", *words],
            cwd=cwd or self.path,
            input=stdin,
            capture_output=True,
            env=_ENVIRONMENT,
            check=False,
        )
        if done.returncode not in ok:
            raise AssertionError(f"git {words}: {done.stderr.decode()}")
        return done.stdout

    def commit(self, ref: str, files: Files, parents: list[str], message: str) -> str:
        """A commit with exactly these files, and `ref` on it."""
        text = message.encode()
        lines = [
            b"commit %s\ncommitter A <a@example.org> 1700000000 +0000\ndata %d\n%s\n"
            % (ref.encode(), len(text), text)
        ]
        lines += [
            b"%s %s\n" % (b"merge" if place else b"from", parent.encode())
            for place, parent in enumerate(parents)
        ]
        lines.append(b"deleteall\n")
        for path, data in files.items():
            lines.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
        self.git("fast-import", "--quiet", "--force", stdin=b"".join(lines))
        return self.head(ref)

    def head(self, ref: str = "refs/heads/main") -> str:
        return self.git("rev-parse", ref).decode().strip()

    def files(self, commit: str) -> Files:
        rows = [row.partition(b"\t") for row in self.git("ls-tree", "-r", "-z", commit).split(b"\0")[:-1]]
        blobs = [facts.split()[2] for facts, _, _ in rows]
        out = self.git("cat-file", "--batch", stdin=b"\n".join(blobs) + b"\n")
        found = {}
        for _, _, path in rows:
            header, _, rest = out.partition(b"\n")
            size = int(header.split()[2])
            found[path.decode()], out = rest[:size], rest[size + 1 :]
        return found


class Machine:
    """One invented history."""

    def __init__(
        self, folder: Path, seed: int, indexer: Indexer | None = None, *, checks_ledger: bool = True
    ) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        self.hub = Hub(folder / "hub.git")
        self.indexer = indexer or index_and_push
        self.checks_ledger = checks_ledger
        self.dna_count = 0
        self.changes: list[Change] = []
        self.graves: list[tuple[str, bytes]] = []
        self.trunk = [
            self.hub.commit(
                "refs/heads/main",
                {"registry.yaml": SETTINGS, "definitions/README.md": b"", f"{FOLDER}a.yaml": self.new()},
                [],
                "start",
            )
        ]
        self.clones = [self.clone("first"), self.clone("second")]
        self.memory = Memory()
        self.log: list[str] = []
        self.counts: dict[str, int] = {}
        self.is_set_back = False

    # What authors do

    def new(self) -> bytes:
        self.dna_count += 1
        return b"title: T dna-%d\nowners: [team]\ndefinition: {exec: /bin/x}\n" % self.dna_count

    def fresh_dna(self, data: bytes) -> bytes:
        self.dna_count += 1
        return re.sub(rb"dna-[0-9]+", b"dna-%d" % self.dna_count, data)

    def definitions(self, files: Files) -> list[str]:
        return sorted(path for path in files if path.startswith(FOLDER))

    def free(self, files: Files) -> str | None:
        names = [f"{FOLDER}{name}.yaml" for name in NAMES if f"{FOLDER}{name}.yaml" not in files]
        return self.random.choice(names) if names else None

    def edit_files(self, files: Files) -> str:  # noqa: C901 - one branch a thing that authors do
        """One thing that an author does; gives its name."""
        paths, free = self.definitions(files), self.free(files)
        kinds = (
            ["add"] * 5
            + ["edit"] * 4
            + ["rename"] * 3
            + ["rename and edit", "delete", "delete", "copy with the id", "id by hand"]
        )
        kinds += [
            "another id",
            "no id",
            "restore",
            "restore",
            "restore elsewhere",
            "add again",
            "touch the ledger",
            "swap",
        ]
        kind = self.random.choice(kinds)
        path = self.random.choice(paths) if paths else None
        if kind in ("add", "id by hand") and free:
            files[free] = (
                self.new() if kind == "add" else with_id(self.new(), self.random.choice([1, 2, 3, 7, 40]))
            )
        elif kind == "edit" and path:
            files[path] += b"# %d\n" % self.random.randrange(1000)
        elif kind.startswith("rename") and path and free:
            files[free] = files.pop(path) + (b"# a line\n" * 9 if kind == "rename and edit" else b"")
        elif kind == "delete" and path:
            self.graves.append((path, files.pop(path)))
        elif kind == "copy with the id" and path and free:
            files[free] = self.fresh_dna(files[path])
        elif kind == "another id" and path:
            files[path] = with_id(files[path], self.random.choice([1, 2, 3, 7, 40]))
        elif kind == "no id" and path:
            files[path] = without_id(files[path])
        elif kind == "swap" and len(paths) > 1:
            one, two = self.random.sample(paths, 2)
            files[one], files[two] = files[two], files[one]
        elif kind in ("restore", "restore elsewhere", "add again") and self.graves:
            return self.dig_up(kind, files, free)
        elif kind == "touch the ledger" and LEDGER_PATH in files:
            self.touch_ledger(files)
        else:
            return "nothing"
        return kind

    def dig_up(self, kind: str, files: Files, free: str | None) -> str:
        path, data = self.random.choice(self.graves)
        if any(dna_of(files[there]) == dna_of(data) for there in self.definitions(files)):
            return "nothing"  # it is still there under another name
        target = free if kind == "restore elsewhere" else path
        if target is None or target in files:
            return "nothing"
        files[target] = self.fresh_dna(without_id(data)) if kind == "add again" else data
        return kind

    def touch_ledger(self, files: Files) -> None:
        """Change, add, lose or swap something in one of the ledger's files."""
        path = self.random.choice(sorted(path for path in files if is_ledger_path(path)))
        data = files[path]
        lines = data.splitlines(keepends=True)
        files[path] = self.random.choice(
            [
                b"".join(lines[:-1]),
                b"".join(lines[1:]),
                b"".join(reversed(lines)),
                data + b"{}\n",
                data.replace(b'"live"', b'"gone"', 1),
                b"",
            ]
        )
        sealed = [one for one in files if is_ledger_path(one) and one != LEDGER_PATH]
        if sealed and self.random.random() < 0.3:
            one, other = self.random.choice(sealed), self.random.choice(sealed)
            files[one], files[other] = files[other], files[one]
        if sealed and self.random.random() < 0.3:
            del files[self.random.choice(sealed)]

    # What happens to branches

    def step(self) -> None:
        happening = self.random.choices(
            [
                self.open,
                self.work_on,
                self.merge,
                self.revert,
                self.set_back,
                self.index,
                self.race,
                self.shallow,
                self.fork,
            ],
            [6, 6, 8, 1, 0.6, 5, 1, 1, 0.2],
        )[0]
        self.log.append(happening.__name__)
        self.counts[happening.__name__] = self.counts.get(happening.__name__, 0) + 1
        happening()

    def open(self) -> None:
        """A branch, often from an old main."""
        start = self.trunk[-1] if self.random.random() < 0.6 else self.random.choice(self.trunk[-6:])
        self.changes.append(Change(start, self.hub.files(start)))
        self.work_on()

    def work_on(self) -> None:
        if self.changes:
            change = self.random.choice(self.changes)
            what = self.edit_files(change.files)
            self.log.append(f"  {what}")
            if what != "nothing":
                change.head = self.hub.commit("refs/heads/change", change.files, [change.head], what)

    def merge(self) -> None:
        """A branch into main: reviewed or not, with a merge commit or squashed."""
        if not self.changes:
            return
        change = self.changes.pop(self.random.randrange(len(self.changes)))
        main = self.trunk[-1]
        output = self.hub.git(
            "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", main, change.head, ok=(0, 1)
        )
        tree, *conflicts = output.rstrip(b"\0").split(b"\0")
        if conflicts:
            return
        before, files = self.hub.files(main), self.hub.files(tree.decode())
        dnas = [dna_of(files[path]) for path in self.definitions(files)]
        if len(set(dnas)) < len(dnas):
            return  # two branches brought one definition to two names: a person would have to say which of them it is
        if self.random.random() < 0.7:
            refused = has_errors(review(self.hub.path, "main", change.head).problems)
            wanted = self.must_be_refused(before, files)
            if refused != wanted:
                raise BrokenPromiseError(
                    f"the review {'refused' if refused else 'let through'} a change, wrongly"
                )
            if refused:
                self.log.append("  refused")
                return
        self.graves += [(path, before[path]) for path in self.definitions(before) if path not in files]
        parents = [main] if self.random.random() < 0.4 else [main, change.head]
        self.advance(files, parents, "merge")

    def must_be_refused(self, before: Files, files: Files) -> bool:
        """Whether the rules for changes, read straight, refuse this one."""
        if ledger_files(before) != ledger_files(files):
            return True
        ids = {path: id_of(files[path]) for path in self.definitions(files)}
        then = {path: id_of(before[path]) for path in self.definitions(before)}
        given = [number for number in ids.values() if number is not None]
        if len(set(given)) < len(given):
            return True
        ledger, _ = ledger_of(before)
        for path, number in ids.items():
            if path in then and number != then[path]:
                return True
            if path not in then and number is not None:
                holders = [other for other, one in then.items() if one == number]
                last = ledger.latest.get(("process_definition", number))
                renamed = bool(holders) and all(holder not in files for holder in holders)
                restored = not holders and last is not None and f"{FOLDER}{last.name}.yaml" == path
                if not (renamed or restored):
                    return True
        return False

    def advance(self, files: Files, parents: list[str], message: str) -> None:
        self.trunk.append(self.hub.commit("refs/heads/main", files, parents, message))

    def revert(self) -> None:
        """One of the last commits of main is taken back, file by file, where nothing changed since."""
        if len(self.trunk) < 3:
            return
        commit = self.random.choice(self.trunk[-4:])
        parent = self.hub.git("rev-parse", "-q", "--verify", f"{commit}^", ok=(0, 1)).decode().strip()
        if not parent:
            return
        then, now, files = self.hub.files(parent), self.hub.files(commit), self.hub.files(self.trunk[-1])
        changed = [path for path in {*then, *now} if then.get(path) != now.get(path)]
        if any(files.get(path) != now.get(path) for path in changed):
            return
        for path in changed:
            if path in then:
                files[path] = then[path]
            elif path.startswith(FOLDER):
                self.graves.append((path, files.pop(path)))
            else:
                del files[path]
        dnas = [dna_of(files[path]) for path in self.definitions(files)]
        if len(set(dnas)) == len(dnas):
            self.advance(files, [self.trunk[-1]], "revert")

    def set_back(self) -> None:
        """Somebody force-pushes an old main."""
        if len(self.trunk) > 3:
            del self.trunk[-self.random.randrange(1, min(6, len(self.trunk) - 1)) :]
            self.hub.git("update-ref", "refs/heads/main", self.trunk[-1])

    # Who gives ids

    def clone(self, name: str, *options: str) -> Path:
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        self.hub.git("clone", "-q", *options, f"file://{self.hub.path}", str(path), cwd=self.folder)
        return path

    def index(self) -> None:
        self.run(self.random.choice(self.clones))

    def shallow(self) -> None:
        """A fresh clone of one commit: whatever is known of ids must not come from the history."""
        if self.memory.lines:  # before the first ids were given a shallow clone is refused, as it must be
            self.run(self.clone("shallow", "--depth=1"))

    def fork(self) -> None:
        """A fork with an id of its own gives none."""
        path = self.clone("fork")
        if LEDGER_PATH not in self.hub.files(self.trunk[-1]):
            return
        (path / "registry.yaml").write_bytes(b"registry_id: a-fork-of-it\n")
        self.hub.git("commit", "-qam", "fork", cwd=path)
        head = self.hub.git("rev-parse", "HEAD", cwd=path)
        try:
            index(path)
        except RefusedError:
            assert self.hub.git("rev-parse", "HEAD", cwd=path) == head
        else:
            raise BrokenPromiseError("a fork gave ids")

    def race(self) -> None:
        """Two indexers at once."""
        errors: list[BaseException] = []

        def run(path: Path) -> None:
            try:
                self.indexer(path, False)
            except BaseException as error:  # noqa: BLE001 - told to the main thread
                errors.append(error)

        for path in self.clones:
            self.refresh(path)
        threads = [threading.Thread(target=run, args=(path,)) for path in self.clones]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in errors:
            if not isinstance(error, RefusedError):
                raise error
        # What they found is gone now: only what holds whatever they found is looked at.
        self.run(self.clones[0])

    def refresh(self, path: Path) -> None:
        """As a CI job starts: the newest main."""
        self.hub.git("fetch", "-q", "origin", cwd=path)
        self.hub.git("reset", "-q", "--hard", "origin/main", cwd=path)

    def run(self, path: Path) -> None:
        """Index, with whatever help the messages ask for; then look whether every promise was kept."""
        self.refresh(path)
        before = self.hub.files("refs/heads/main")
        try:
            self.indexer(path, False)
        except RefusedError as refused:
            self.log.append(f"  {refused.message}: {refused.hint}")
            self.counts["refused"] = self.counts.get("refused", 0) + 1
            if "registry index --recover" in refused.hint:
                self.indexer(path, True)
            else:
                assert not self.memory.lines, (
                    refused
                )  # only before anything was published: a person takes the ledger out
                files = self.hub.files(self.trunk[-1])
                self.advance(
                    {path: without_id(data) for path, data in files.items() if not is_ledger_path(path)},
                    [self.trunk[-1]],
                    "start the ledger again",
                )
                self.refresh(path)
                self.indexer(path, False)
        head = self.hub.head()
        if head != self.trunk[-1]:
            self.trunk.append(head)
        after = self.hub.files("refs/heads/main")
        self.log.append(f"  before: {brief(before)}")
        self.log.append(f"  after:  {brief(after)}; ledger: {brief_ledger(after)}")
        self.look(before)
        self.refresh(path)
        self.indexer(path, False)
        if self.hub.head() != head:
            raise BrokenPromiseError("a second run made a commit")

    def look(self, before: Files) -> None:
        """Every promise, after a run; `before` are the files that it found."""
        files = self.hub.files(self.trunk[-1])
        memory, carried = self.memory, {}
        carriers: dict[int, list[str]] = {}
        for path in self.definitions(before):
            carriers.setdefault(id_of(before[path]) or 0, []).append(path)
        for path in self.definitions(files):
            number, dna, name = (
                id_of(files[path]),
                dna_of(files[path]),
                path.removeprefix(FOLDER).removesuffix(".yaml"),
            )
            if number is None or number in carried:
                raise BrokenPromiseError(
                    f"{path}: the id {number} {'is missing' if number is None else 'is in two files'}"
                )
            carried[number] = dna
            # Authors can carry an id anywhere; who gives ids must never do it.
            others = [other for other in carriers.get(number, ()) if other != path]
            was_carried = (
                path in carriers.get(number, ()) and f"{FOLDER}{memory.at.get(number)}.yaml" not in others
            )
            if memory.dna.get(number, dna) != dna and name not in memory.names[number] and not was_carried:
                raise BrokenPromiseError(f"the id {number} named {memory.dna[number]}, and names {dna} now")
            self.look_at_what_it_had(path, name, dna, number, carriers)
            memory.names.setdefault(number, set()).add(name)
        memory.at = {
            number: path.removeprefix(FOLDER)[:-5]
            for path in self.definitions(files)
            if (number := id_of(files[path]))
        }
        if self.checks_ledger:
            self.look_at_ledger(files, carried)
        memory.dna |= carried
        memory.live = {dna: number for number, dna in carried.items()}

    def look_at_what_it_had(
        self, path: str, name: str, dna: str, number: int, carriers: dict[int, list[str]]
    ) -> None:
        """A definition that carried its id alone, or lost the line where it lies, has the same id still.

        One that carries another id of its own keeps that: a main that was set back shows the id of those days.
        """
        had = self.memory.live.get(dna, number)
        carrying = carriers.get(had, [])
        has_another = path in carriers.get(number, ())
        is_its_own = carrying == [path] or (
            self.memory.at.get(had) == name and (path in carrying or not (carrying or has_another))
        )
        if had != number and is_its_own:
            raise BrokenPromiseError(f"{dna} had the id {had}, and has {number} now")

    def look_at_ledger(self, files: Files, carried: dict[int, str]) -> None:
        ledger, problems = ledger_of(files)
        lines = tuple(all_lines(ledger_files(files)).decode().splitlines())
        if problems or lines[: len(self.memory.lines)] != self.memory.lines:
            raise BrokenPromiseError("the ledger is broken, or lost a line")
        answered = {number for _, number in ledger.latest}
        if missing := self.memory.dna.keys() - answered:
            raise BrokenPromiseError(f"stored ids do not answer any more: {missing}")
        for (_, number), last in ledger.latest.items():
            if (last.state == "gone") == (number in carried):
                raise BrokenPromiseError(
                    f"{number} is {last.state} in the ledger, {'and' if number in carried else 'but not'} there"
                )
        assert not [one for one in verify((), ledger) if one.rule == "I022"]
        self.memory.lines = lines


def index_and_push(path: Path, recover: bool) -> None:
    """The real thing."""
    index(path, IndexOptions(remote="origin", branch="main", recover=recover))


def naive(path: Path, _recover: bool) -> None:
    """What one would write first: the largest id there is, plus one."""
    files = {file: file.read_bytes() for file in sorted((path / FOLDER).rglob("*.yaml"))}
    following = max((id_of(data) or 0 for data in files.values()), default=0) + 1
    for file, data in files.items():
        if id_of(data) is None:
            file.write_bytes(with_id(data, following))
            following += 1

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=path, env=_ENVIRONMENT, capture_output=True, check=False)

    git("commit", "-qam", "ids")
    git("push", "-q", "origin", "HEAD:main")


def brief(files: Files) -> str:
    """Which id and which mark lie where."""
    paths = sorted(path for path in files if path.startswith(FOLDER))
    return ", ".join(
        f"{path.removeprefix(FOLDER)[:-5]}: {id_of(files[path])} {dna_of(files[path])}" for path in paths
    )


def brief_ledger(files: Files) -> str:
    """The last events."""
    ledger, _ = ledger_of(files)
    return ", ".join(f"{entry.id} {entry.state} {entry.name}" for entry in ledger.entries[-12:])


def tell(machine: Machine) -> str:
    """A history that ended badly, to read."""
    return json.dumps(machine.log[-40:], indent=1)
