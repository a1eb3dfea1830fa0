"""Everything known about one source, immutable: definitions, ids, history. All output is rendered from it."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson

from registry.cache.build_cache import BuildCache
from registry.cache.cache_file import program_digest
from registry.errors import UsageError
from registry.history.archive import NO_REVISIONS, History, Revisions
from registry.history.blobs import BlobReader
from registry.history.path_history import NamesOf, PathReader
from registry.history.reader import cached_history, continue_history
from registry.ids import Ledger, LedgerEntry, parse_ledger_files
from registry.load.defaults import SCHEMA_FOLDER, TEMPLATES_FOLDER, defaults_folder
from registry.load.ledger_files import read_ledger_files
from registry.load.lookups import DefinitionChanges, Lookups, QualifiedName, lookups_of, with_changes
from registry.load.settings import SETTINGS_PATH, Settings
from registry.load.source import EntryType, Source
from registry.model.addresses import folded, has_address
from registry.model.definition import (
    DEFINITIONS_FOLDER,
    LEDGER_FOLDER,
    LEDGER_PATH,
    Definition,
    definition_path,
    is_ledger_path,
    kind_and_name,
)
from registry.model.diff import Change, diff
from registry.model.problem import Problem, Severity, Span
from registry.model.redaction import redacted
from registry.model.revision import Revision, blobs_of
from registry.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from registry.history.blobs import DocumentData
    from registry.history.reader import PendingHistory
    from registry.load.kinds import Kinds
    from registry.load.loader import Loaded

MAX_TEMPLATE_BYTES = 8 * 1024 * 1024
"""A larger template or asset of a registry's own is not read."""
_MAX_ALL_TEMPLATES = 8 * MAX_TEMPLATE_BYTES
_MOST_CHANGES = 500
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A definition that was deleted; its id answers for ever. `revisions` oldest first, the last one the
    deletion.

    `lost_blob` is its content where no commit of the history has any: the branch was reset, and the ledger
    recovered.
    """

    kind: str
    id: int
    name: str
    revisions: Revisions
    lost_blob: str | None = None

    @property
    def last_content(self) -> Revision | None:
        """The last revision that has one."""
        return next((one for one in reversed(self.revisions) if one.blob is not None), None)


@dataclass(frozen=True, slots=True)
class Preview:
    """That a site shows a change which is not published yet.

    `title` names it ("pull request 12"), `summary` says what changes, `marks` what happened to a kind and
    name (added, renamed, changed), `page` is a whole page about all of it.
    """

    title: str
    summary: str
    marks: Mapping[tuple[str, str], str]
    page: bytes


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file with errors in a snapshot that has, instead, its last valid content, or no definition for it.

    `revisions` are all of the file, those with errors included.
    """

    path: str
    problems: tuple[Problem, ...]
    revisions: Revisions


@dataclass(frozen=True, slots=True)
class SnapshotChanges:
    """What a later state of the same source has otherwise than a snapshot; settings, schemas and templates
    are the same.

    `uncommitted` are the paths that differ from `commit`, relative to the registry's root. `revisions` are
    those of the changed definitions where they are known; without them the history is asked.
    """

    definitions: DefinitionChanges
    ledger: Ledger
    history: History | None
    commit: str | None
    commit_time: str | None
    uncommitted: frozenset[str] | None
    tombstones: tuple[Tombstone, ...]
    revisions: Mapping[QualifiedName, Revisions] | None = None
    broken: tuple[BrokenFile, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """What one source holds.

    `lookups` are tables over `definitions`. `uncommitted` are the paths that differ from `commit`, relative
    to the registry's root; None where there is no commit. `is_fork`: the ledger is of another registry, so
    all ids are dropped. `contents` are those of all revisions, `templates` those of the catalog by path below
    `site_templates/`. `cache` has answers of earlier runs.
    """

    settings: Settings
    kinds: Kinds
    definitions: tuple[Definition, ...]
    lookups: Lookups
    ledger: Ledger
    is_fork: bool
    commit: str | None
    commit_time: str | None
    uncommitted: frozenset[str] | None
    is_dirty: bool
    history: History | None
    history_complete: bool
    revisions: Mapping[QualifiedName, Revisions]
    tombstones: tuple[Tombstone, ...]
    contents: BlobReader
    templates: Mapping[str, bytes]
    has_own_templates: bool
    preview: Preview | None = None
    mailmap_digest: str = ""
    cache: BuildCache = field(default_factory=BuildCache)
    broken: tuple[BrokenFile, ...] = ()
    # Answers of single definitions by fingerprint: a list needs what was just rendered for the definition's
    # own address.
    answers: dict[str, bytes] = field(default_factory=dict, init=False, repr=False)
    _fingerprints: dict[tuple[str, str], str] = field(default_factory=dict, init=False, repr=False)
    # A page and an answer ask for the same, one after the other.
    _changes_of: dict[tuple[str, str, tuple[str, ...]], list[Change]] = field(
        default_factory=dict, init=False, repr=False
    )

    def apply(self, changes: SnapshotChanges) -> Snapshot:
        """The snapshot of a later state: what `take_snapshot` gives for it, in time that grows with the
        changes.

        Tables are copied, and updated where a definition changed. Digests of definitions that are not
        concerned are kept.
        """
        definitions = with_changes(self.definitions, changes.definitions, self.kinds)
        lookups = self.lookups.with_changes(self.kinds, changes.definitions)
        changed_revisions = changes.revisions
        if changed_revisions is None:
            changed_revisions = self._changed_revisions(changes, definitions, lookups)
        revisions = {**self.revisions, **changed_revisions}
        for place in changes.definitions:
            if place not in lookups.by_name:
                revisions.pop(place, None)
        before = [one for place in changes.definitions if (one := self.by_name.get(place)) is not None]
        # Files without an id can have the same content.
        replaced = [one.blob for one in before if one.id is not None]
        added = [one for one in changes.definitions.values() if one is not None]
        after = replace(
            self,
            definitions=definitions,
            lookups=lookups,
            ledger=changes.ledger,
            commit=changes.commit,
            commit_time=changes.commit_time,
            uncommitted=changes.uncommitted,
            is_dirty=changes.uncommitted is None or _matters(changes.uncommitted),
            history=changes.history,
            revisions=revisions,
            tombstones=changes.tombstones,
            contents=self.contents.with_changes(replaced, added),
            broken=changes.broken,
        )
        if "folded_names" in self.__dict__:
            after.__dict__["folded_names"] = self._folded_names_after(changes.definitions)
        if not self.has_own_templates:
            after.__dict__["common_fingerprint"] = (
                self.common_fingerprint
            )  # settings, schemas and templates are the same
        if after.common_fingerprint == self.common_fingerprint:
            after._keep_answers_of(self, changes, changed_revisions)
        return after

    def _keep_answers_of(
        self, before: Snapshot, changes: SnapshotChanges, revisions: Mapping[QualifiedName, Revisions]
    ) -> None:
        """Keep the digests and answers of an earlier snapshot that the changes do not concern."""
        moved = {
            place for place in changes.definitions if (place in before.by_name) != (place in self.by_name)
        }
        concerned = (
            changes.definitions.keys()
            | before.lookups.targets_of(self.kinds, changes.definitions)
            | {
                place
                for place, new in revisions.items()
                if new.key != before.revisions.get(place, NO_REVISIONS).key
            }
            | {(one.kind, one.name) for place in moved for one in self.referring.get(place, ())}
        )
        self._fingerprints.update(before._fingerprints.copy())
        for place in concerned:
            self._fingerprints.pop(place, None)
        self.answers.update(before.answers.copy())

    @cached_property
    def broken_by_name(self) -> Mapping[QualifiedName, BrokenFile]:
        """Files with errors by kind and folded name."""
        named = ((kind_and_name(one.path), one) for one in self.broken)
        return {(place[0], folded(place[1])): one for place, one in named if place is not None}

    @cached_property
    def folded_names(self) -> Mapping[QualifiedName, str]:
        """Names of definitions by kind and by the name as case-insensitive hosts compare it."""
        return {(one.kind, folded(one.name)): one.name for one in self.definitions}

    def _folded_names_after(self, changes: DefinitionChanges) -> Mapping[QualifiedName, str]:
        found = dict(self.folded_names)
        for kind, name in [place for place, one in changes.items() if one is None]:
            if found.get((kind, folded(name))) == name:
                del found[kind, folded(name)]
        found |= {(kind, folded(name)): name for (kind, name), one in changes.items() if one is not None}
        return found

    def with_edit(self, edited: Definition) -> Snapshot:
        """The snapshot with an edit of a definition that keeps its id, which is not committed."""
        uncommitted = self.uncommitted | {edited.path} if self.uncommitted is not None else None
        return self.apply(
            SnapshotChanges(
                {(edited.kind, edited.name): edited},
                self.ledger,
                self.history,
                self.commit,
                self.commit_time,
                uncommitted,
                self.tombstones,
            )
        )

    def _changed_revisions(
        self, changes: SnapshotChanges, definitions: Iterable[Definition], lookups: Lookups
    ) -> dict[QualifiedName, Revisions]:
        """The revisions of the definitions that may have other ones; of all where the history goes on."""
        if changes.history is not self.history:
            concerned = definitions
        else:
            moved = (changes.uncommitted or frozenset()) ^ (self.uncommitted or frozenset())
            places = {*changes.definitions, *filter(None, map(kind_and_name, moved))}
            concerned = [one for place in places if (one := lookups.by_name.get(place)) is not None]
        return {
            (one.kind, one.name): _revisions_of(one, changes.history, changes.uncommitted)
            for one in concerned
        }

    @cached_property
    def common_fingerprint(self) -> str:
        """A digest of all that every page and answer may depend on."""
        facts: list[Any] = [
            program_digest(),
            repr(self.settings),
            self.history_complete,
            repr(self.preview),
            self.mailmap_digest,
        ]
        facts += [
            [
                kind.name,
                kind.description,
                kind.schema,
                repr(kind.traits),
            ]
            for kind in self.kinds
        ]
        facts += [repr(adapter) for adapter in self.kinds.adapters.values()]
        facts += [[name, hashlib.blake2b(data).hexdigest()] for name, data in self.templates.items()]
        if self.has_own_templates:
            # They may show on any page what ours show on one.
            facts += [
                self.commit,
                self.commit_time,
                self.is_dirty,
                self.revision_count,
                [len(found) for found in self.by_kind.values()],
            ]
        return hashlib.blake2b(orjson.dumps(facts, default=repr), digest_size=16).hexdigest()

    def fingerprint_of(self, definition: Definition) -> str:
        """A digest of all that the pages and answers of one definition are made from."""
        return self.fingerprints_of((definition,))[0]

    def fingerprints_of(self, some: Iterable[Definition]) -> list[str]:
        """The digests of many definitions, in their order."""
        known, common, by_name = self._fingerprints, self.common_fingerprint, self.by_name
        references = {kind.name: kind.references for kind in self.kinds}
        revisions, referring = self.revisions, self.referring
        found = []
        for kind, name, number, _, summary, blob in some:
            place = (kind, name)
            fingerprint = known.get(place)
            if fingerprint is None:
                # Joined texts instead of JSON: each build computes this for every definition.
                stored, added = revisions.get(place, NO_REVISIONS).key
                others = referring.get(place)
                links = [
                    (to.kind, target) in by_name
                    for to, target in zip(references[kind], summary.references, strict=True)
                ]
                facts = f"{common}\0{kind}\0{name}\0{number}\0{blob}\0{links}\0{stored}"
                more = (
                    (added, [[other.kind, other.name, other.summary.title] for other in others or ()])
                    if added or others
                    else None
                )
                fingerprint = known[place] = _digest(facts, more)
            found.append(fingerprint)
        return found

    @cached_property
    def fingerprints_by_kind(self) -> Mapping[str, list[str]]:
        """The digests of the definitions of each kind, in the order of `by_kind`."""
        return {kind: self.fingerprints_of(definitions) for kind, definitions in self.by_kind.items()}

    def fingerprint_of_tombstone(self, one: Tombstone) -> str:
        """As `fingerprint_of`, of a definition that was deleted."""
        stored, added = one.revisions.key
        # Its last content is read when its page is made; which definitions that refers to is not known here.
        facts = (
            f"{self._tombstones_fingerprint}\0{one.kind}\0{one.name}\0{one.id}\0{self.answers_by_name(one)}"
            f"\0{one.lost_blob}\0{stored}"
        )
        return _digest(facts, (added,) if added else None)

    @cached_property
    def _tombstones_fingerprint(self) -> str:
        facts = "\0".join([self.common_fingerprint, *self._referenced_names])
        return hashlib.blake2b(facts.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    @cached_property
    def _referenced_names(self) -> list[str]:
        kinds = self.kinds.referenced
        return sorted(f"{kind}/{name}" for kind, name in self.by_name if kind in kinds)

    @property
    def published(self) -> Mapping[str, tuple[Definition, ...]]:
        """The definitions of each kind that have an id, in order of id."""
        return self.lookups.published

    @property
    def by_kind(self) -> Mapping[str, tuple[Definition, ...]]:
        """Definitions of each kind, in order of name."""
        return self.lookups.by_kind

    @property
    def by_name(self) -> Mapping[QualifiedName, Definition]:
        """Definitions by kind and name."""
        return self.lookups.by_name

    @cached_property
    def tombstones_by_id(self) -> Mapping[tuple[str, int], Tombstone]:
        """Deleted definitions by kind and id."""
        return {(one.kind, one.id): one for one in self.tombstones}

    @cached_property
    def tombstones_by_name(self) -> Mapping[tuple[str, str], Tombstone]:
        """Deleted definitions by kind and name, as long as no definition has the name: of several the one
        that was deleted last.

        Names are compared without case, and those that cannot have an address are omitted: a ledger can hold
        any.
        """
        found: dict[tuple[str, str], list[Tombstone]] = {}
        for one in self.tombstones:
            if has_address(one.name):
                found.setdefault((one.kind, folded(one.name)), []).append(one)
        if not found:
            return {}
        found = {place: some for place, some in found.items() if place not in self.folded_names}
        if any(len(some) > 1 for some in found.values()):
            lines = {(entry.kind, entry.id): number for number, entry in enumerate(self.ledger.entries)}
            for some in found.values():
                some.sort(key=lambda one: lines[one.kind, one.id])
        return {(some[-1].kind, some[-1].name): some[-1] for some in found.values()}

    def answers_by_name(self, tombstone: Tombstone) -> bool:
        """True when a deleted definition is still found by its name."""
        return self.tombstones_by_name.get((tombstone.kind, tombstone.name)) is tombstone

    @property
    def referring(self) -> Mapping[QualifiedName, tuple[Definition, ...]]:
        """For a kind and name, the definitions that name it in a reference field."""
        return self.lookups.referring

    @cached_property
    def revision_count(self) -> int:
        """How many revisions all definitions have, tombstones included."""
        return sum(map(len, self.revisions.values())) + sum(
            len(tombstone.revisions) for tombstone in self.tombstones
        )

    def revisions_of(self, definition: Definition) -> Revisions:
        """Revisions of one definition, oldest first."""
        return self.revisions.get((definition.kind, definition.name), NO_REVISIONS)

    def revisions_of_any(self, there: Definition | Tombstone) -> Revisions:
        """Return the revisions of a definition, current or deleted, oldest first."""
        return there.revisions if isinstance(there, Tombstone) else self.revisions_of(there)

    def definition(self, kind: str, number: int) -> Definition | None:
        """Return the definition with an id, or None."""
        published = self.published.get(kind, ())
        place = bisect_left(published, number, key=lambda one: one.id or 0)
        found = published[place] if place < len(published) else None
        return found if found is not None and found.id == number else None

    def blobs_shown(self, revisions: Iterable[Revision]) -> Iterator[str]:
        """The contents that pages and answers of one definition with these revisions show."""
        return blobs_of(revisions) if self.settings.shows_revisions else iter(())

    def blobs_shown_of(self, one: Tombstone) -> Iterator[str]:
        """The contents that pages and answers of a deleted definition show."""
        if self.settings.shows_revisions or one.last_content is None:
            return self.blobs_shown(one.revisions)
        return blobs_of([one.last_content])

    def last_document(self, tombstone: Tombstone) -> DocumentData | None:
        """The last content of a deleted definition that can be read; None where no commit that is here has
        any."""
        found = next(
            (found for one in reversed(tombstone.revisions) if (found := self.document_of(one)) is not None),
            None,
        )
        return self.contents.get(tombstone.lost_blob) if found is None and tombstone.lost_blob else found

    def document_of(self, revision: Revision) -> DocumentData | None:
        """The whole content at one revision; None for a deletion, and for a file that cannot be read."""
        return self.contents.get(revision.blob) if revision.blob else None

    def written_at(self, revision: Revision) -> str:
        """The text of the file at one revision; "" where there is none to be shown: a credential would
        have to be hidden in it."""
        return self.contents.written(revision.blob) if revision.blob else ""

    def changes_of(self, revision: Revision) -> list[Change]:
        """The fields that one revision changed, against the state before it; none for the first and for a
        deletion.

        Of a merge only those that no parent has so: what one parent has was reported where it was made. Where
        a merge has nothing else, the fields in which it differs from the first parent from which it differs.
        """
        if (
            revision.blob is None
            or revision.old_blob is None
            or (revision.blob == revision.old_blob and not revision.other_blobs)
        ):
            return []
        key = (revision.old_blob, revision.blob, revision.other_blobs)
        found = self._changes_of.get(key)
        if found is None:
            if len(self._changes_of) >= _MOST_CHANGES:
                self._changes_of.clear()
            found = self._changes_of[key] = self._find_changes(
                revision.old_blob, revision.blob, revision.other_blobs
            )
        return found

    def _find_changes(self, old_blob: str, blob: str, other_blobs: Iterable[str]) -> list[Change]:
        against = [self._changes(parent, blob) for parent in (old_blob, *other_blobs)]
        own = against[0]
        for theirs in against[1:]:
            pointers = [f"{change.pointer}/" for change in theirs]
            own = [
                one
                for one in own
                if any(
                    f"{one.pointer}/".startswith(their) or their.startswith(f"{one.pointer}/")
                    for their in pointers
                )
            ]
        return own or next(filter(None, against), [])

    def _changes(self, before: str, after: str) -> list[Change]:
        old, new = self.contents.get(before), self.contents.get(after)
        return diff(old, new) if old is not None and new is not None else []


def _digest(facts: str, more: Sequence[object] | None) -> str:
    digest = hashlib.blake2b(facts.encode("utf-8", "surrogateescape"), digest_size=16)
    if more is not None:
        digest.update(orjson.dumps(more, default=str))
    return digest.hexdigest()


def take_snapshot(  # noqa: PLR0913 - what the steps before gave
    source: Source,
    settings: Settings,
    kinds: Kinds,
    loaded: Loaded,
    pending: PendingHistory | None,
    contents: BlobReader,
    cache: BuildCache,
    progress: Progress = silent,
) -> tuple[Snapshot, tuple[Problem, ...]]:
    """Bring together what was loaded with the ledger and the history of `source`, and say what is wrong
    with the ledger.

    `pending` is the history of the same source, `contents` reads those of its revisions.
    """
    ledger, problems = parse_ledger_files(read_ledger_files(source), settings.registry_id)
    ledger, foreign = _own_ledger(ledger, settings)
    problems = (*problems, *foreign)
    repository, commit = source.repository, source.commit
    history, changed = None, None
    if pending is not None:
        history = pending.history(progress)
        changed = pending.changed_paths()
    uncommitted = frozenset(changed) if changed is not None else None
    contents.take(loaded.definitions)
    revisions = {
        (one.kind, one.name): _revisions_of(one, history, uncommitted if source.is_work_tree else frozenset())
        for one in loaded.definitions
    }
    definitions = (
        tuple(one._replace(id=None) for one in loaded.definitions) if foreign else loaded.definitions
    )
    own_templates = _own_templates(source)
    snapshot = Snapshot(
        settings=settings,
        kinds=kinds,
        definitions=definitions,
        lookups=lookups_of(kinds, definitions),
        ledger=ledger,
        is_fork=bool(foreign),
        commit=commit,
        commit_time=repository.commit_time(commit) if repository is not None and commit is not None else None,
        uncommitted=uncommitted,
        is_dirty=source.is_work_tree and (uncommitted is None or _matters(uncommitted)),
        history=history,
        history_complete=pending is not None and pending.is_complete,
        revisions=revisions,
        tombstones=_tombstones(source, loaded, ledger, kinds, history),
        contents=contents,
        templates=_default_templates() | own_templates,
        has_own_templates=bool(own_templates),
        mailmap_digest=pending.mailmap.digest if pending is not None else "",
        cache=cache,
    )
    return snapshot, problems


def take_snapshot_of_one(
    source: Source,
    kinds: Kinds,
    definition: Definition,
    former_names: NamesOf,
    cache: BuildCache,
    progress: Progress = silent,
) -> Snapshot | None:
    """Return a snapshot that contains only `definition` and its revisions, as in `take_snapshot`.

    Other definitions, the ledger and templates are missing, and nothing is checked. The history is that in
    `cache`, or else only the commits that changed the definition are read. `former_names` returns the names
    that the definition with an id had, as far as they are known. Returns None where other files may matter:
    the file contains a credential, or its history may continue that of any other file. Raises GitError where
    git fails.
    """
    if redacted(definition.data, kinds.secret_fields) is not definition.data:
        return None
    repository, commit, uncommitted = source.repository, source.commit, frozenset[str]()
    contents = BlobReader(repository, kinds.secret_fields)
    history = cached_history(source, cache, contents, progress)
    if repository is not None and commit is not None:
        prefix = repository.prefix_of(source.root)
        if history is None:
            progress("reading commits")
            reader = PathReader(repository, commit, prefix)
            history = reader.history_of(definition.kind, definition.id, definition.path, former_names)
            if history is None:
                return None
            history.show_authors(repository.mailmap(commit).name)
        known = history.of(definition.kind, definition.id, definition.path)
        if source.is_work_tree and not _is_newest(definition, known):
            found = repository.changed_paths(prefix + definition.path)
            uncommitted = frozenset(path[len(prefix) :] for path in found)
    contents.take([definition])
    is_uncommitted = source.is_work_tree and commit is None
    revisions = _revisions_of(definition, history, None if is_uncommitted else uncommitted)
    return Snapshot(
        settings=source.settings,
        kinds=kinds,
        definitions=(definition,),
        lookups=lookups_of(kinds, [definition]),
        ledger=Ledger((), source.settings.registry_id, source.settings.registry_id),
        is_fork=False,
        commit=commit,
        commit_time=None,
        uncommitted=None if commit is None else uncommitted,
        is_dirty=is_uncommitted or bool(uncommitted),
        history=history,
        history_complete=repository is not None and commit is not None and not repository.is_shallow(),
        revisions={(definition.kind, definition.name): revisions},
        tombstones=(),
        contents=contents,
        templates={},
        has_own_templates=False,
        cache=cache,
    )


def changes_since(
    snapshot: Snapshot,
    source: Source,
    loaded: Loaded,
    changes: DefinitionChanges,
    *,
    paths: Collection[str] | None,
) -> SnapshotChanges | None:
    """What `source` has otherwise than `snapshot`: the definitions in `changes`, and new commits.

    `loaded` is all of the source. With `paths`, only these may have changed since, and git's index and HEAD
    have not. None where the source does not continue the snapshot: the ledger has other lines than before, a
    branch was reset or switched, the clone is shallow, or names of authors changed. Raises GitError where
    git fails.
    """
    repository, commit, history = source.repository, source.commit, snapshot.history
    if repository is None or commit is None or history is None or snapshot.uncommitted is None:
        return None
    if snapshot.is_fork or not snapshot.history_complete or snapshot.commit is None:
        return None
    prefix = repository.prefix_of(source.root)
    checked = [prefix + path for path in paths] if paths is not None else [prefix or "."]
    status = repository.begin_changed_paths(*checked) if checked else None
    try:
        ledger, commit_time = snapshot.ledger, snapshot.commit_time or ""
        if paths is None or any(map(is_ledger_path, paths)):
            ledger, problems = parse_ledger_files(read_ledger_files(source), snapshot.settings.registry_id)
            known = len(snapshot.ledger.entries)
            if (
                problems
                or _own_ledger(ledger, snapshot.settings)[1]
                or ledger.entries[:known] != snapshot.ledger.entries
            ):
                return None
        if commit != snapshot.commit:
            mailmap = repository.mailmap(commit)
            continued = continue_history(repository, prefix, history, snapshot.commit, commit)
            if continued is None or repository.cut() or mailmap.digest != snapshot.mailmap_digest:
                return None
            if mailmap:
                continued.show_authors(mailmap.name)
            history, commit_time = continued, repository.commit_time(commit)
        found = status.paths() if status is not None else {}
    finally:
        if status is not None:
            status.close()
    kept = snapshot.uncommitted - frozenset(paths) if paths is not None else frozenset()
    uncommitted = kept | {path[len(prefix) :] for path in found}
    tombstones = _tombstones(source, loaded, ledger, snapshot.kinds, history)
    return SnapshotChanges(changes, ledger, history, commit, commit_time, uncommitted, tombstones)


def _revisions_of(
    definition: Definition, history: History | None, uncommitted: Collection[str] | None
) -> Revisions:
    """The revisions of a definition, with one for what is not committed; `uncommitted` None: nothing is."""
    kind, _, number, document = definition[:4]
    known = history.of(kind, number, document.path) if history is not None else NO_REVISIONS
    if uncommitted is None or document.path in uncommitted:
        return _with_uncommitted(definition, known)
    return known


def _own_ledger(ledger: Ledger, settings: Settings) -> tuple[Ledger, tuple[Problem, ...]]:
    """The ledger, or an empty one where it belongs to another registry: a fork publishes no ids, they are
    not its own."""
    if not ledger.entries or ledger.registry_id == settings.registry_id:
        return ledger, ()
    span = Span(SETTINGS_PATH)
    if not settings.registry_id:
        hint = f"restore it: registry_id: {ledger.registry_id}"
        return ledger, (
            Problem(
                "I026",
                Severity.ERROR,
                span,
                f"the ledger belongs to the registry {ledger.registry_id}, but registry_id is not set",
                hint,
            ),
        )
    message = f"the ids belong to the registry {ledger.registry_id}: all definitions are shown without an id"
    files = f"-r {LEDGER_PATH} {LEDGER_FOLDER}" if ledger.sealed else LEDGER_PATH
    hint = f"to make this fork a registry of its own, remove the ledger: git rm {files}"
    return Ledger((), settings.registry_id, settings.registry_id), (
        Problem("I027", Severity.WARNING, span, message, hint),
    )


def _default_templates() -> dict[str, bytes]:
    folder = defaults_folder(TEMPLATES_FOLDER)
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def _own_templates(source: Source) -> dict[str, bytes]:
    """The registry's own templates and assets, which win over those of the program, file by file."""
    found = {}
    room = _MAX_ALL_TEMPLATES
    for path in [entry.path for entry in source.entries(TEMPLATES_FOLDER) if entry.type is EntryType.FILE]:
        data = source.read(path, at_most=MAX_TEMPLATE_BYTES)
        if data is not None:
            room -= len(data)
            if room < 0:
                raise UsageError(
                    f"files below {TEMPLATES_FOLDER}/ have more than {_MAX_ALL_TEMPLATES:,} bytes in total",
                    "remove some of them",
                )
            found[path.removeprefix(f"{TEMPLATES_FOLDER}/")] = data
    return found


def _matters(changed: Iterable[str]) -> bool:
    """True when a changed path is one that the site is made from."""
    starts = (f"{DEFINITIONS_FOLDER}/", f"{SCHEMA_FOLDER}/", f"{TEMPLATES_FOLDER}/", SETTINGS_PATH)
    return any(path.startswith(starts) for path in changed)


def _is_newest(definition: Definition, known: Revisions) -> bool:
    """True when the file of a definition is that of its newest revision."""
    last = known.newest
    return last is not None and last.blob == definition.blob and known.path == definition.path


def _with_uncommitted(definition: Definition, known: Revisions) -> Revisions:
    """The revisions with one more for what lies in the work tree, where that differs from the last one."""
    if _is_newest(definition, known):
        return known
    last = known.newest
    return known.with_one_more(
        Revision(
            len(known) + 1,
            None,
            "",
            "",
            "uncommitted",
            definition.name,
            definition.blob,
            last.blob if last else None,
        )
    )


def _tombstones(
    source: Source, loaded: Loaded, ledger: Ledger, kinds: Kinds, history: History | None
) -> tuple[Tombstone, ...]:
    """Every id that was given and that no definition carries, in order of kind and id."""
    there = set(map(itemgetter(0, 2), loaded.definitions))  # kind and id
    gone = [entry for key, entry in ledger.latest.items() if key not in there and entry.kind in kinds.by_name]

    def revisions(entry: LedgerEntry) -> Revisions:
        return (
            history.of(entry.kind, entry.id, definition_path(entry.kind, entry.name))
            if history is not None
            else NO_REVISIONS
        )

    found = [Tombstone(entry.kind, entry.id, entry.name, revisions(entry)) for entry in gone]
    lost = _lost_blobs(source, ledger, {(one.kind, one.id) for one in found if not one.revisions})
    found = [replace(one, lost_blob=lost.get((one.kind, one.id))) for one in found] if lost else found
    return tuple(sorted(found, key=lambda tombstone: (tombstone.kind, tombstone.id)))


def _lost_blobs(
    source: Source, ledger: Ledger, wanted: Collection[tuple[str, int]]
) -> dict[tuple[str, int], str]:
    """The contents of definitions that the history does not lead to, from the commits that the ledger
    names for them.

    Git keeps commits of a branch that was reset for some time, in the repository where that happened;
    elsewhere there is nothing.
    """
    repository = source.repository
    if repository is None or not wanted:
        return {}
    prefix = repository.prefix_of(source.root)
    lines = [one for one in ledger.entries if (one.kind, one.id) in wanted and one.state != "gone"]
    lines = [
        one
        for one in lines
        if one.commit is not None and _COMMIT.fullmatch(one.commit) and has_address(one.name)
    ]
    objects = (
        repository.objects_at_places(
            [(one.commit or "", prefix + definition_path(one.kind, one.name)) for one in lines]
        )
        if lines
        else []
    )
    # Later lines win: they are of later states.
    return {
        (one.kind, one.id): blob for one, blob in zip(lines, objects, strict=True) if _COMMIT.fullmatch(blob)
    }
