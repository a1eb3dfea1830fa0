"""Check the ids that a push assigns, commit by commit.

Each commit that appends to the ledger must do what `registry index` does. The cost depends on what the
commits change: only changed files and files related to their ids are read. Other files are assumed to have
the id that the ledger lists for their name, because earlier pushes were checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from registry.errors import UsageError
from registry.git import HIGH_WATER, Oversize, Repository
from registry.ids import (
    Ledger,
    LedgerEntry,
    Refusal,
    ReplayedFile,
    Step,
    all_lines,
    parse_ledger,
    parse_ledger_files,
    plan_append,
    replay,
    segment_path,
    split_open,
)
from registry.load import yaml
from registry.load.ledger_files import MAX_LEDGER_BYTES
from registry.load.settings import SETTINGS_PATH, parse_settings
from registry.model.definition import (
    DEFINITIONS_FOLDER,
    LEDGER_FOLDER,
    LEDGER_PATH,
    definition_path,
    id_of,
    kind_and_name,
)
from registry.model.ledger_files import LedgerFiles, is_segment_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

MAX_ID_GAP = 1000
"""How many ids of each kind a push may skip: ids that are published but unknown to the repository."""

_BROKEN_HERE = (
    "on the server, disable the hook and restore the last valid ledger; "
    f"git log -p -- {LEDGER_PATH} shows its history"
)


class RefusedCommit(NamedTuple):
    """A commit that assigns ids it may not assign, and the reason."""

    commit: str
    refusal: Refusal


class _StoredLedger(NamedTuple):
    """The ledger of a commit: mode and object of everything at its paths, and the contents of its files."""

    rows: Mapping[str, tuple[str, str]]
    files: LedgerFiles


class _FileIds(NamedTuple):
    """The ids of files by path, before and after a step; None for a file without an id."""

    before: dict[str, int | None]
    after: dict[str, int | None]

    @property
    def paths(self) -> set[str]:
        return {*self.before, *self.after}

    @property
    def keys(self) -> set[tuple[str, int]]:
        """All kinds and ids in these files."""
        return {
            (found[0], number)
            for path, number in (*self.before.items(), *self.after.items())
            if number and (found := kind_and_name(path))
        }


def changes_the_ledger(repository: Repository, path: list[str], old: str) -> bool:
    """Return True if a commit on `path`, which starts from `old`, changes the ledger."""
    return len(set(_ledgers_at(repository, [old, *path]))) > 1


def _ledgers_at(repository: Repository, commits: Sequence[str]) -> list[tuple[str, str]]:
    """Return the objects of the open segment and of the folder of sealed ones in each commit."""
    prefix = repository.registry_folder
    open_segments = repository.objects_at(commits, f"{prefix}{LEDGER_PATH}")
    folders = repository.objects_at(commits, f"{prefix}{LEDGER_FOLDER}")
    # Without sealed segments the answer names the commit, which is no difference.
    return list(zip(open_segments, ["" if one.endswith(" missing") else one for one in folders], strict=True))


def check_pushed_ids(
    repository: Repository, old: str, path: list[str], kinds: Collection[str], max_id_gap: int = MAX_ID_GAP
) -> tuple[RefusedCommit, ...]:
    """Check the ids that the commits on `path` assign, from `old` to the pushed commit.

    Commits between two changes of the ledger are checked together: a mistake that a later commit fixes is not
    reported. Raises UsageError if the existing ledger cannot be read, because nothing can be checked then.
    """
    return _Replay(repository, old, frozenset(kinds), max_id_gap).run(path)


class _Replay:
    """The state while checking one push.

    It holds the known ledger entries and files, and how many ids may still be skipped.
    """

    def __init__(self, repository: Repository, old: str, kinds: frozenset[str], max_id_gap: int) -> None:
        self._repository = repository
        self._prefix = repository.registry_folder
        self._kinds = kinds
        self._max_id_gap = max_id_gap
        self._may_skip: dict[str, int] = {}
        self._ids: dict[str, int | None] = {}
        """Ids by blob."""
        self._last: dict[str, int | None] = {}
        """Last ids of files that became unreadable, by path."""
        self._commit = old
        self._blobs: dict[str, bytes] = {}
        """Contents of the ledger's files: few of them differ between commits."""
        self._stored = self._stored_ledger(old)
        self._lines = all_lines(self._stored.files)
        self._ledger = self._parse(self._stored.files, old)
        mark = repository.commit_of(HIGH_WATER)
        self._published = self._stored_ledger(mark).files if mark is not None else LedgerFiles()

    def run(self, path: list[str]) -> tuple[RefusedCommit, ...]:
        """Check every step of the push. The first step with a problem ends the check."""
        ledgers = _ledgers_at(self._repository, [self._commit, *path])
        authors: list[str] = []
        for commit, before, after in zip(path, ledgers[:-1], ledgers[1:], strict=True):
            # Authors' commits are collected up to the next change of the ledger and checked in one step.
            if before == after:
                authors.append(commit)
                continue
            found = self._without_ledger(authors) or tuple(
                RefusedCommit(commit, one) for one in self._with_ledger(commit)
            )
            if found:
                return found
            authors = []
        return self._without_ledger(authors) or self._lost_ledger(path[-1])

    def _lost_ledger(self, commit: str) -> tuple[RefusedCommit, ...]:
        """Refuse a ledger with the same bytes that is no longer a regular file: it would not be read."""
        if (self._read(commit, LEDGER_PATH) or b"") == self._stored.files.open:
            return ()
        return (
            RefusedCommit(
                commit, Refusal(f"{LEDGER_PATH} is not a regular file", "replace it with the file itself")
            ),
        )

    def _without_ledger(self, commits: list[str]) -> tuple[RefusedCommit, ...]:
        """Check commits that do not change the ledger: authors' work, which must not assign ids.

        Either all of them together or each of them must be valid: a later commit may fix a mistake, and a
        name may be used again after a rename.
        """
        if not commits:
            return ()
        state = (self._commit, dict(self._last), dict(self._may_skip))
        together = self._step_of_authors(commits[-1])
        if not together:
            return ()
        if len(commits) > 1:
            self._commit, self._last, self._may_skip = state
            if not any(self._step_of_authors(commit) for commit in commits):
                return ()
        return tuple(RefusedCommit(commits[-1], one) for one in together)

    def _step_of_authors(self, commit: str) -> tuple[Refusal, ...]:
        ids = self._advance(commit)
        if all(number == ids.before.get(path) for path, number in ids.after.items()):
            return ()
        return self._replayed(ids, self._ledger, None, ())

    def _advance(self, commit: str) -> _FileIds:
        """Make `commit` the current state, and return the ids of the definitions that differ in it."""
        changed = self._changed(commit)
        before = self._before(changed)
        after = self._after(changed, before)
        self._commit = commit
        for path in changed:
            self._last[path] = after.get(path)
        return _FileIds(before, after)

    def _with_ledger(self, commit: str) -> tuple[Refusal, ...]:
        """Check the step from the current state to `commit`, which changes the ledger."""
        stored = self._stored_ledger(commit)
        more = _continuation(self._stored.files, stored.files)
        if more is None:
            hint = "lines can only be appended: fetch the branch and rebase your work onto it"
            return (Refusal("lines of the ledger were changed or removed", hint),)
        if (wrong := _wrong_file(self._stored, stored, more)) is not None:
            return (wrong,)
        continued = self._continued_by(more)
        if isinstance(continued, Refusal):
            return (continued,)
        ledger, new = continued
        appended = self._appended(commit, ledger, new)
        if isinstance(appended, Refusal):
            return (appended,)
        ids = self._advance(commit)
        known_lines = len(self._ledger.entries) if ledger is not self._ledger else None
        refusals = self._replayed(ids, ledger, known_lines, appended.entries)
        self._stored, self._lines = stored, self._lines + more
        self._ledger = ledger.continued(appended.entries) if ledger.entries else appended
        return refusals

    def _continued_by(self, lines: bytes) -> tuple[Ledger, bytes] | Refusal:
        """Return the ledger that new `lines` continue, and those of them that are not in it yet.

        This is the ledger of the branch, or the published one if the branch was reset on the server: its lost
        lines must come back first, because their ids are in use.
        """
        published = all_lines(self._published)
        was_reset = len(published) > len(self._lines) and published.startswith(self._lines)
        if not was_reset:
            return self._ledger, lines
        lost = published[len(self._lines) :]
        # In the same order and with the same bytes: the chain of hashes allows nothing else.
        if not lines.startswith(lost):
            hint = "registry index --recover --push"
            return Refusal(f"{HIGH_WATER} has more ledger lines: the branch was reset", hint)
        return self._parse(self._published, HIGH_WATER), lines[len(lost) :]

    def _appended(self, commit: str, ledger: Ledger, data: bytes) -> Ledger | Refusal:
        """Return the lines that `commit` appends to `ledger` as a separate ledger.

        Returns a Refusal if the lines are not a valid continuation.
        """
        then, now = self._registry_id(self._commit), self._registry_id(commit)
        owner = ledger.registry_id if ledger.entries else then
        if owner not in ("", now):
            message = f"{SETTINGS_PATH}: registry_id is {now or 'missing'}, but the ledger belongs to {owner}"
            return Refusal(message, "a fork assigns no ids")
        appended, problems = parse_ledger(data, "")
        if problems:
            line = len(ledger.entries) + problems[0].span.line
            return Refusal(f"line {line} of the ledger: {problems[0].message}")
        if appended.entries and appended.registry_id != (ledger.head if ledger.entries else now):
            message = (
                "the ledger is broken: the hash in this line does not match the previous line "
                "(in the first line: registry_id)"
            )
            return Refusal(f"line {len(ledger.entries) + 1} of the ledger: {message}")
        strange = next(
            (one for one in appended.entries if one.commit is not None and not _is_object_id(one.commit)),
            None,
        )
        # Pages and answers link to this commit, so it must not be a text of the pusher's choice.
        if strange is not None:
            return Refusal(
                f"the ledger: {strange.kind} {strange.id} names {strange.commit!r:.60}, which is not a commit"
            )
        return appended

    def _replayed(
        self, ids: _FileIds, ledger: Ledger, known_lines: int | None, appended: Sequence[LedgerEntry]
    ) -> tuple[Refusal, ...]:
        self._add_related(ids, ledger, appended)
        files = [
            ReplayedFile(path, *found, number)
            for path, number in ids.after.items()
            if (found := kind_and_name(path))
        ]
        step = Step(ids.before, files, ledger, known_lines, appended)
        result = replay(step, self._may_skip, self._max_id_gap)
        for kind, count in result.skipped.items():
            # The limit is for the whole push: otherwise many commits could skip the maximum each.
            self._may_skip[kind] = self._may_skip.get(kind, self._max_id_gap) - count
        return result.refusals

    def _add_related(self, ids: _FileIds, ledger: Ledger, appended: Iterable[LedgerEntry]) -> None:
        """Add the unchanged files that affect the same ids, until no file leads to another one.

        These are the files at the names that the ledger lists for the ids, and the files that took the ids to
        a new name.
        """
        seen = ids.paths
        if not ledger.entries:
            # The first run assigns an id to every file.
            self._add(self._definition_paths(self._commit) - seen, ids)
            return
        names = _names_in_use(ledger)
        keys = {(one.kind, one.id) for one in appended}
        wanted = {definition_path(one.kind, one.name) for one in appended}
        has_unlisted = False
        while True:
            keys |= {names[name] for path in seen | wanted if (name := kind_and_name(path)) in names}
            keys |= ids.keys
            entries = [ledger.latest[key] for key in keys if key in ledger.latest]
            wanted |= {definition_path(one.kind, one.name) for one in entries}
            if not has_unlisted and any(_has_lost_its_id(one, ids, seen) for one in entries):
                # A file may have taken the id in an earlier push. Only files whose name is not in the ledger
                # can have it.
                has_unlisted = True
                everything = self._definition_paths(self._commit)
                wanted |= {path for path in everything if kind_and_name(path) not in names}
            missing = wanted - seen
            if not missing:
                return
            self._add(missing, ids)
            seen |= missing

    def _add(self, paths: Collection[str], ids: _FileIds) -> None:
        """Add files that did not change."""
        blobs = self._blobs_at(self._commit, paths)
        for path, number in self._ids_of(blobs).items():
            ids.before[path] = ids.after[path] = number if number != _UNREADABLE else self._known_id(path)

    def _changed(self, commit: str) -> dict[str, tuple[str | None, str | None]]:
        """Return the definitions that differ between the current state and `commit`, with their blobs."""
        rows = self._repository.changes(self._commit, commit, f"{self._prefix}{DEFINITIONS_FOLDER}")
        found = {path.removeprefix(self._prefix): blobs for path, blobs in rows.items()}
        return {path: blobs for path, blobs in found.items() if self._is_definition(path)}

    def _before(self, changed: Mapping[str, tuple[str | None, str | None]]) -> dict[str, int | None]:
        found = self._ids_of({path: old for path, (old, _) in changed.items() if old is not None})
        return {
            path: number if number != _UNREADABLE else self._known_id(path) for path, number in found.items()
        }

    def _after(
        self, changed: Mapping[str, tuple[str | None, str | None]], before: Mapping[str, int | None]
    ) -> dict[str, int | None]:
        """Return the ids after a change.

        An unreadable file keeps its last id: later commits may fix the file.
        """
        found = self._ids_of({path: new for path, (_, new) in changed.items() if new is not None})
        return {path: number if number != _UNREADABLE else before.get(path) for path, number in found.items()}

    def _known_id(self, path: str) -> int | None:
        """Return the id of an unreadable file: its last id, else the id of its name."""
        if path in self._last:
            return self._last[path]
        found = kind_and_name(path)
        latest = (
            one
            for one in self._ledger.latest.values()
            if (one.kind, one.name) == found and one.state != "gone"
        )
        return next((one.id for one in latest), None)

    def _is_definition(self, path: str) -> bool:
        found = kind_and_name(path)
        return found is not None and found[0] in self._kinds and "/." not in path

    def _definition_paths(self, commit: str) -> set[str]:
        rows = self._repository.list_tree(commit, f"{self._prefix}{DEFINITIONS_FOLDER}/")
        paths = {row.path.removeprefix(self._prefix) for row in rows if row.mode.startswith("100")}
        return {path for path in paths if self._is_definition(path)}

    def _blobs_at(self, commit: str, paths: Collection[str]) -> dict[str, str]:
        found = self._repository.blobs_at(commit, sorted(f"{self._prefix}{path}" for path in paths))
        return {path.removeprefix(self._prefix): blob for path, blob in found.items()}

    def _ids_of(self, blobs: Mapping[str, str]) -> dict[str, int | None]:
        unknown = sorted({blob for blob in blobs.values() if blob not in self._ids})
        for blob, data in self._repository.read_blobs(unknown, at_most=yaml.MAX_BYTES):
            document = yaml.read_data(data) if isinstance(data, bytes) else None
            self._ids[blob] = id_of(document) if isinstance(document, dict) else _UNREADABLE
        return {path: self._ids[blob] for path, blob in blobs.items()}

    def _read(self, commit: str, path: str) -> bytes | None:
        blob = self._repository.blobs_at(commit, [f"{self._prefix}{path}"]).get(f"{self._prefix}{path}")
        if blob is None:
            return None
        data = next(self._repository.read_blobs([blob], at_most=MAX_LEDGER_BYTES))[1]
        if isinstance(data, Oversize):
            raise UsageError(
                f"{path} of {commit[:12]} is larger than {MAX_LEDGER_BYTES:,} bytes", _BROKEN_HERE
            )
        return data

    def _stored_ledger(self, commit: str) -> _StoredLedger:
        """Read the ledger of a commit: only files that other commits of the push do not have."""
        rows = {}
        for path in (LEDGER_PATH, LEDGER_FOLDER):
            for mode, blob, found in self._repository.list_tree(commit, f"{self._prefix}{path}"):
                rows[found.removeprefix(self._prefix)] = (mode, blob)
        blobs = {
            path: blob
            for path, (mode, blob) in rows.items()
            if mode.startswith("100") and (path == LEDGER_PATH or is_segment_file(path))
        }
        # The limit is for all segments together: many small ones must not exhaust the memory of the server.
        unknown = sorted(set(blobs.values()) - self._blobs.keys())
        room = MAX_LEDGER_BYTES - sum(len(self._blobs.get(blob, b"")) for blob in blobs.values())
        for blob, data in self._repository.read_blobs(unknown, at_most=MAX_LEDGER_BYTES):
            room -= data.size if isinstance(data, Oversize) else len(data)
            if isinstance(data, Oversize) or room < 0:
                raise UsageError(
                    f"the ledger of {commit[:12]} is larger than {MAX_LEDGER_BYTES:,} bytes", _BROKEN_HERE
                )
            self._blobs[blob] = data
        contents = {path: self._blobs[blob] for path, blob in blobs.items()}
        return _StoredLedger(rows, LedgerFiles(contents.pop(LEDGER_PATH, b""), contents))

    def _registry_id(self, commit: str) -> str:
        return parse_settings(self._read(commit, SETTINGS_PATH))[0].registry_id

    def _parse(self, files: LedgerFiles, where: str) -> Ledger:
        ledger, problems = parse_ledger_files(files, self._registry_id(self._commit))
        if problems:
            span = problems[0].span
            raise UsageError(
                f"the ledger of {where[:12]} is broken: {span.path}:{span.line}: {problems[0].message}",
                _BROKEN_HERE,
            )
        return ledger


def _names_in_use(ledger: Ledger) -> dict[tuple[str, str], tuple[str, int]]:
    """Return the kind and id for the kind and name of each definition that was not deleted."""
    return {(one.kind, one.name): (one.kind, one.id) for one in ledger.latest.values() if one.state != "gone"}


def _has_lost_its_id(entry: LedgerEntry, ids: _FileIds, seen: Collection[str]) -> bool:
    """Return True if the file at the name of an entry, one of those `seen`, no longer has the entry's id."""
    path = definition_path(entry.kind, entry.name)
    return entry.state != "gone" and path in seen and ids.after.get(path) != entry.id


def _continuation(before: LedgerFiles, after: LedgerFiles) -> bytes | None:
    """Return the lines that `after` adds to those of `before`; None if it changes or removes any.

    Sealed segments of `before` are not compared: `_wrong_file` does that.
    """
    old, new = split_open(before.open), split_open(after.open)
    if not old.sealed <= new.sealed <= len(after.sealed):
        return None
    sealed = [after.sealed.get(segment_path(number)) for number in range(old.sealed + 1, new.sealed + 1)]
    lines = b"".join((*[data or b"" for data in sealed], new.lines))
    return lines[len(old.lines) :] if lines.startswith(old.lines) else None


def _wrong_file(before: _StoredLedger, after: _StoredLedger, lines: bytes) -> Refusal | None:
    """Find a file that differs from what `registry index` writes when it appends `lines`.

    Programs from before there were segments keep a ledger in one file.
    """
    planned = plan_append(before.files, lines)
    if not before.files.sealed and not after.files.sealed:
        planned = {LEDGER_PATH: before.files.open + lines}
    for path in sorted({*before.rows, *after.rows, *planned}):
        if path not in planned:
            is_right = after.rows.get(path) == before.rows.get(path)
        elif path == LEDGER_PATH:
            is_right = after.files.open == planned[path]
        else:
            is_right = after.files.sealed.get(path) == planned[path]
        if not is_right:
            hint = f"restore the ledger's files as they are on the branch: {LEDGER_PATH} and {LEDGER_FOLDER}/"
            return Refusal(f"{path} differs from what `registry index` writes", hint)
    return None


_UNREADABLE = -1
"""Used in place of an id if the file cannot be read."""


def _is_object_id(text: str) -> bool:
    return len(text) in (40, 64) and set(text) <= set("0123456789abcdef")
