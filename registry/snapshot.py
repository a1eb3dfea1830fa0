"""Everything known about one source, immutable: definitions, ids, history. All output is rendered from it."""

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import orjson

from registry.cache import program
from registry.diff import Change, diff
from registry.errors import Problem, Severity, Span
from registry.git import LogCommit, PendingLog, Repository
from registry.history import NO_HISTORY, History, Revision, is_definition_row
from registry.ids import Ledger, parse_ledger
from registry.kinds import SCHEMA_FOLDER, Kind, Kinds, defaults_folder
from registry.loader import DEFINITIONS_FOLDER, LEDGER_PATH, Definition, Loaded, definition_path, hide_credentials
from registry.memory import Documents, Memory
from registry.progress import Progress, silent
from registry.settings import SETTINGS_PATH, Settings
from registry.source import READ_LARGE, EntryType, Source

TEMPLATES_FOLDER = "site_templates"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A definition that was deleted; its id answers for ever. `revisions` oldest first, the last one the deletion."""

    kind: str
    id: int
    name: str
    revisions: tuple[Revision, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """That a site shows a change which is not published yet.

    `title` names it ("pull request 12"), `summary` says what changes, `marks` what happened to a kind and name (added,
    renamed, changed), `page` is a whole page about all of it.
    """

    title: str
    summary: str
    marks: Mapping[tuple[str, str], str]
    page: bytes


@dataclass(frozen=True)
class Snapshot:
    """What one source holds.

    `documents` are the contents of all revisions as JSON, by blob id; `templates` those of the catalog, by path below
    `site_templates/`. `answers` are bodies made before, by the key of their definition.
    """

    settings: Settings
    kinds: Kinds
    definitions: tuple[Definition, ...]
    ledger: Ledger
    commit: str | None
    commit_time: str | None
    is_dirty: bool
    history_complete: bool
    revisions: Mapping[tuple[str, str], tuple[Revision, ...]]
    tombstones: tuple[Tombstone, ...]
    documents: Mapping[str, bytes | None]
    templates: Mapping[str, bytes]
    has_own_templates: bool
    preview: Preview | None = None
    answers: dict[str, bytes] = field(default_factory=dict)
    _keys: dict[tuple[str, str | int], str] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def common_key(self) -> str:
        """A digest of all that every page and answer may depend on."""
        facts: list[Any] = [program(), repr(self.settings), self.history_complete, repr(self.preview)]
        facts += [
            [kind.name, kind.title, kind.plural, kind.description, kind.schema, repr(kind.references), kind.secret_fields] for kind in self.kinds
        ]
        facts += [repr(adapter) for adapter in self.kinds.adapters.values()]
        facts += [[name, hashlib.blake2b(data).hexdigest()] for name, data in self.templates.items()]
        if self.has_own_templates:
            # They may show on any page what ours show on one.
            facts += [self.commit, self.commit_time, self.is_dirty, self.revision_count, [len(found) for found in self.by_kind.values()]]
        return hashlib.blake2b(orjson.dumps(facts, default=repr), digest_size=16).hexdigest()

    def key_of(self, one: "Definition | Tombstone") -> str:
        """A digest of all that the pages and answers of one definition are made from."""
        place = (one.kind, one.name) if isinstance(one, Definition) else (one.kind, one.id)
        found = self._keys.get(place)
        if found is None:
            found = self._keys[place] = self._key_of(one)
        return found

    def _key_of(self, one: "Definition | Tombstone") -> str:
        facts: list[Any] = [self.common_key, one.kind, one.name, one.id]
        if isinstance(one, Definition):
            revisions = self.revisions_of(one)
            used_by = [[other.kind, other.name, other.data.get("title")] for other in self.referring.get((one.kind, one.name), ())]
            facts += [one.blob, used_by, ("application", one.inside.get("application")) in self.by_name]
        else:
            revisions = one.revisions
            # Its last content is read when its page is made; which application that names is not known here.
            facts += [(one.kind, one.name) in self.by_name, self._applications]
        # What a commit is does not change: its author, date and message are its id's.
        facts += [[one.number, one.commit, one.name, one.blob, one.old_blob, one.other_blobs] for one in revisions]
        return hashlib.blake2b(orjson.dumps(facts, default=str), digest_size=16).hexdigest()

    @cached_property
    def _applications(self) -> list[str]:
        return sorted(name for kind, name in self.by_name if kind == "application")

    @cached_property
    def published(self) -> Mapping[str, tuple[Definition, ...]]:
        """The definitions of each kind that have an id, in order of id."""
        return {
            kind: tuple(sorted((one for one in definitions if one.id is not None), key=lambda one: one.id or 0))
            for kind, definitions in self.by_kind.items()
        }

    @cached_property
    def by_kind(self) -> Mapping[str, tuple[Definition, ...]]:
        """Definitions of each kind, in order of name."""
        found: dict[str, list[Definition]] = {kind.name: [] for kind in self.kinds}
        for definition in self.definitions:
            found[definition.kind].append(definition)
        return {kind: tuple(definitions) for kind, definitions in found.items()}

    @cached_property
    def by_name(self) -> Mapping[tuple[str, str], Definition]:
        """Definitions by kind and name."""
        return {(definition.kind, definition.name): definition for definition in self.definitions}

    @cached_property
    def referring(self) -> Mapping[tuple[str, str], tuple[Definition, ...]]:
        """For a kind and name, the definitions that name it in a field of reference."""
        found: dict[tuple[str, str], list[Definition]] = {}
        for definition in self.definitions:
            for kind, name in references_of(definition, self.kinds.by_name[definition.kind]):
                found.setdefault((kind, name), []).append(definition)
        return {key: tuple(definitions) for key, definitions in found.items()}

    @property
    def revision_count(self) -> int:
        """How many revisions all definitions have, tombstones included."""
        return sum(map(len, self.revisions.values())) + sum(len(tombstone.revisions) for tombstone in self.tombstones)

    def revisions_of(self, definition: Definition) -> tuple[Revision, ...]:
        """Revisions of one definition, oldest first."""
        return self.revisions.get((definition.kind, definition.name), ())

    def put_document(self, blob: str, document: bytes) -> None:
        """A content that is in no commit."""
        if isinstance(self.documents, Documents):
            self.documents.put(blob, document)

    def document_of(self, revision: Revision) -> dict[str, Any] | None:
        """The whole content at one revision; None for a deletion, and for a file that cannot be read."""
        found = self.documents.get(revision.blob) if revision.blob else None
        return orjson.loads(found) if found is not None else None

    def changes_of(self, revision: Revision) -> list[Change]:
        """The fields that one revision changed, against the state before it; none for the first and for a deletion.

        Of a merge only those that no side had so: what came from one side was told where it was made.
        """
        if revision.blob is None or revision.old_blob is None or revision.blob == revision.old_blob:
            return []
        changes = self._changes(revision.old_blob, revision.blob)
        for other in revision.other_blobs:
            theirs = [f"{change.pointer}/" for change in self._changes(other, revision.blob)]
            changes = [one for one in changes if any(f"{one.pointer}/".startswith(their) or their.startswith(f"{one.pointer}/") for their in theirs)]
        return changes

    def _changes(self, before: str, after: str) -> list[Change]:
        old, new = self.documents.get(before), self.documents.get(after)
        if old is None or new is None or old == new:
            return []
        return diff(orjson.loads(old), orjson.loads(new))


def references_of(definition: Definition, kind: Kind) -> Iterator[tuple[str, str]]:
    """Kind and name of everything that a definition refers to."""
    for reference in kind.references:
        value: Any = definition.data
        for step in reference.pointer.split("/")[1:]:
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, str):
            yield reference.kind, value


class PendingHistory(NamedTuple):
    """A history that git is reading in the background, as far as it is not known: all commits after `since` (None: all)."""

    log: PendingLog | None
    since: str | None
    about: str
    prefix: str
    fields: Sequence[tuple[str, ...]]

    def close(self) -> None:
        """End git, if it still runs."""
        if self.log is not None:
            self.log.close()


def begin_history(source: Source, kinds: Kinds, memory: Memory) -> PendingHistory | None:
    """Let git read the history while definitions are loaded; None where there is no history."""
    repository, commit = source.repository, source.commit
    if repository is None or commit is None:
        return None
    prefix = repository.prefix_of(source.root)
    fields = _fields(kinds)
    # A clone that was cut, or made whole again, has another history up to the same commit; other fields with credentials
    # mean other contents.
    about = f"{prefix} {repository.cut()} {fields}"
    memory.documents.read_from(repository, fields)
    since = memory.head_before(repository, commit, about)
    log = repository.begin_log(commit, f"{prefix}{DEFINITIONS_FOLDER}", since) if since != commit else None
    return PendingHistory(log, since, about, prefix, fields)


def take_snapshot(  # noqa: PLR0913 - what the steps before gave
    source: Source, settings: Settings, kinds: Kinds, loaded: Loaded, pending: PendingHistory | None, memory: Memory, progress: Progress = silent
) -> tuple[Snapshot, tuple[Problem, ...]]:
    """Bring together what was loaded with the ledger and the history of `source`, and say what is wrong with the ledger.

    `pending` is what `begin_history` gave for the same source and memory.
    """
    ledger, problems = parse_ledger(source.read(LEDGER_PATH, at_most=READ_LARGE), settings.registry_id)
    ledger, foreign = _own_ledger(ledger, settings)
    problems = (*problems, *foreign)
    fields = _fields(kinds)
    repository, commit = source.repository, source.commit
    history, changed = NO_HISTORY, None
    if repository is not None and pending is not None and commit is not None:
        prefix = repository.prefix_of(source.root)
        history = _read_history(repository, commit, pending, memory, progress)
        if source.is_work_tree:
            changed = {path[len(prefix) :] for path in repository.changed_paths(prefix or ".")}
    revisions = {}
    memory.documents.put_anew()
    for definition in loaded.definitions:
        known = history.of(definition.kind, definition.id, definition.path)
        if source.is_work_tree and (changed is None or definition.path in changed):
            known = _with_uncommitted(definition, known, memory, fields)
        revisions[definition.kind, definition.name] = known
    own_templates = _own_templates(source)
    snapshot = Snapshot(
        settings=settings,
        kinds=kinds,
        definitions=tuple(replace(one, id=None) for one in loaded.definitions) if foreign else loaded.definitions,
        ledger=ledger,
        commit=commit,
        commit_time=repository.commit_time(commit) if repository is not None and commit is not None else None,
        is_dirty=source.is_work_tree and (changed is None or _matters(changed)),
        history_complete=repository is not None and commit is not None and not repository.is_shallow(),
        revisions=revisions,
        tombstones=_tombstones(loaded, ledger, kinds, history),
        documents=memory.documents,
        templates=_default_templates() | own_templates,
        has_own_templates=bool(own_templates),
        answers=memory.answers,
    )
    return snapshot, problems


def _own_ledger(ledger: Ledger, settings: Settings) -> tuple[Ledger, tuple[Problem, ...]]:
    """The ledger, or an empty one where it belongs to another registry: a fork publishes no ids, they are not its own."""
    if not ledger.entries or ledger.registry_id == settings.registry_id:
        return ledger, ()
    span = Span(SETTINGS_PATH)
    if not settings.registry_id:
        hint = f"write it back: registry_id: {ledger.registry_id}"
        return ledger, (
            Problem("I026", Severity.ERROR, span, f"the ledger is of the registry {ledger.registry_id}, and no registry_id is set", hint),
        )
    message = f"the ids here are of the registry {ledger.registry_id}: all definitions are shown without one"
    hint = f"a registry of its own starts with a ledger of its own: git rm {LEDGER_PATH}"
    return Ledger((), settings.registry_id, settings.registry_id), (Problem("I027", Severity.WARNING, span, message, hint),)


def _default_templates() -> dict[str, bytes]:
    folder = defaults_folder(TEMPLATES_FOLDER)
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def _own_templates(source: Source) -> dict[str, bytes]:
    """The registry's own templates and assets, which win over those of the program, file by file."""
    found = {}
    for entry in source.entries(TEMPLATES_FOLDER):
        data = source.read(entry.path, at_most=READ_LARGE) if entry.type is EntryType.FILE else None
        if data is not None:
            found[entry.path.removeprefix(f"{TEMPLATES_FOLDER}/")] = data
    return found


def _matters(changed: set[str]) -> bool:
    """True when a changed path is one that the site is made from."""
    starts = (f"{DEFINITIONS_FOLDER}/", f"{SCHEMA_FOLDER}/", f"{TEMPLATES_FOLDER}/", SETTINGS_PATH)
    return any(path.startswith(starts) for path in changed)


def _fields(kinds: Kinds) -> list[tuple[str, ...]]:
    """Where credentials are hidden, in any kind: a revision may be of a file that was of another."""
    return sorted({field for kind in kinds for field in kind.secret_fields})


def _read_history(repository: Repository, commit: str, pending: PendingHistory, memory: Memory, progress: Progress) -> History:
    """Every revision of every definition; the contents of all of them are in the memory then."""
    if pending.log is not None:
        progress("reading commits")
        commits = list(pending.log.commits())
        _read_contents(repository, commits, pending, memory, progress)
        progress(f"following {len(commits):,} commits")
        if pending.since is None or not memory.extend(pending.since, commit, pending.about, commits):
            if pending.since is not None:
                progress("reading all commits anew")
                commits = list(repository.begin_log(commit, f"{pending.prefix}{DEFINITIONS_FOLDER}").commits())
                _read_contents(repository, commits, pending, memory, progress)
            memory.begin(commit, pending.about, pending.prefix, commits)
    history = memory.history(commit, pending.about)
    if history is not None:
        return history
    # Somebody removed the cache since we looked.
    return _read_history(repository, commit, _begin_anew(repository, commit, pending), memory, progress)


def _begin_anew(repository: Repository, commit: str, pending: PendingHistory) -> PendingHistory:
    """The same history, from nothing."""
    return pending._replace(log=repository.begin_log(commit, f"{pending.prefix}{DEFINITIONS_FOLDER}"), since=None)


def _read_contents(repository: Repository, commits: Sequence[LogCommit], pending: PendingHistory, memory: Memory, progress: Progress) -> None:
    rows = (row for one in commits for row in one.rows if is_definition_row(row, pending.prefix))
    blobs = list(dict.fromkeys(blob for row in rows for blob in (row.old_blob, row.blob, *row.other_blobs) if blob is not None))
    memory.read_documents(repository, blobs, pending.fields, partial(progress, "reading revisions"))


def _with_uncommitted(definition: Definition, known: tuple[Revision, ...], memory: Memory, fields: Sequence[tuple[str, ...]]) -> tuple[Revision, ...]:
    """The revisions with one more for what lies in the work tree, where that differs from the last one."""
    last = known[-1] if known else None
    if last is not None and last.blob == definition.blob and last.name == definition.name:
        return known
    memory.documents.put(definition.blob, _hidden(definition, fields))
    return (*known, Revision(len(known) + 1, None, "", "", "uncommitted", definition.name, definition.blob, last.blob if last else None))


def _hidden(definition: Definition, fields: Sequence[tuple[str, ...]]) -> bytes:
    return orjson.dumps(hide_credentials(copy.deepcopy(definition.data), fields))


def hidden_json(definition: Definition, kinds: Kinds) -> bytes:
    """A definition's content as revisions show it: as JSON, credentials hidden."""
    return _hidden(definition, _fields(kinds))


def _tombstones(loaded: Loaded, ledger: Ledger, kinds: Kinds, history: History) -> tuple[Tombstone, ...]:
    """Every id that was given and that no definition carries, in order of kind and id."""
    there = {(definition.kind, definition.id) for definition in loaded.definitions}
    found = [
        Tombstone(entry.kind, entry.id, entry.name, history.of(entry.kind, entry.id, definition_path(entry.kind, entry.name)))
        for key, entry in ledger.latest.items()
        if key not in there and entry.kind in kinds.by_name
    ]
    return tuple(sorted(found, key=lambda tombstone: (tombstone.kind, tombstone.id)))
