"""The snapshot itself: tables of what one source holds, and what pages and answers ask of them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from registry.cache.build_cache import BuildCache
from registry.history.archive import NO_REVISIONS
from registry.load.defaults import SCHEMA_FOLDER, TEMPLATES_FOLDER
from registry.load.settings import SETTINGS_PATH, Settings
from registry.model.addresses import folded, has_address
from registry.model.definition import DEFINITIONS_FOLDER, definition_path, kind_and_name
from registry.model.persistent import persistent_table
from registry.model.revision import blobs_of
from registry.snapshot.fingerprints import (
    Fingerprints,
    common_fingerprint,
    fingerprint_of_tombstone,
    tombstones_fingerprint,
)
from registry.snapshot.groups import Groups, groups_of
from registry.snapshot.recent import RecentDefinitions
from registry.snapshot.revisions import RevisionChanges
from registry.snapshot.tombstones import Tombstone, Tombstones

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from registry.history.archive import History, Revisions
    from registry.history.blobs import BlobReader, DocumentData
    from registry.ids import Ledger
    from registry.load.kinds import Kinds
    from registry.load.lookups import Lookups, QualifiedName, Referrer
    from registry.model.definition import Definition
    from registry.model.diff import Change
    from registry.model.problem import Problem
    from registry.model.revision import Revision


@dataclass(frozen=True, slots=True)
class Preview:
    """That a site shows a change which is not published yet.

    `title` names it ("pull request 12"), `summary` says what changes, `marks` what happened to a kind and
    name (added, renamed, changed). `body` describes all of it and `by_definition` each definition, in HTML.
    """

    title: str
    summary: str
    marks: Mapping[tuple[str, str], str]
    body: str
    by_definition: Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file with errors in a snapshot that has, instead, its last valid content, or no definition for it.

    `revisions` are all of the file, those with errors included.
    """

    path: str
    problems: tuple[Problem, ...]
    revisions: Revisions


class DerivedBefore(NamedTuple):
    """What a renderer computed for an earlier snapshot of the same source.

    `changed` are the definitions that changed since, as they were in the earlier snapshot; None for new ones.
    """

    value: Any
    changed: Mapping[QualifiedName, Definition | None]


@dataclass(frozen=True)
class Snapshot:
    """What one source holds.

    `lookups` are indexes of the definitions. `uncommitted` are the paths that differ from `commit`, relative
    to the registry's root; None where there is no commit. `is_fork`: the ledger is of another registry, so
    all ids are dropped. `contents` are those of all revisions, `templates` those of the catalog by path below
    `site_templates/`. `cache` has answers of earlier runs. `moved_ids` are the ids that left a name in
    commits after those of `history`, by kind and name: a server with writes does not read its own commits.
    """

    settings: Settings
    kinds: Kinds
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
    tombstones: Tombstones
    contents: BlobReader
    templates: Mapping[str, bytes]
    has_own_templates: bool
    preview: Preview | None = None
    mailmap_digest: str = ""
    cache: BuildCache = field(default_factory=BuildCache)
    broken: tuple[BrokenFile, ...] = ()
    moved_ids: Mapping[QualifiedName, int] = field(default_factory=dict)
    # Answers of single definitions by fingerprint: a list needs what was just rendered for the definition's
    # own address. Later states share them.
    answers: dict[str, bytes] = field(default_factory=dict, repr=False)
    revision_changes: RevisionChanges = field(default_factory=RevisionChanges, repr=False)
    fingerprints: Fingerprints = field(default_factory=Fingerprints, init=False, repr=False)
    # What a renderer computes once from all definitions, by the name of its module.
    derived: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    # The same of an earlier state of this source, where it can be continued.
    derived_before: Mapping[str, DerivedBefore] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def persistent(self) -> Snapshot:
        """Return the same snapshot with persistent tables: `apply_changes` takes time that grows with the
        changes only.

        Reading takes longer then, so this is for a server that is written to.
        """
        found = replace(
            self,
            lookups=self.lookups.persistent(),
            ledger=self.ledger.persistent(),
            revisions=persistent_table(self.revisions),
            tombstones=self.tombstones.persistent(),
            contents=self.contents.persistent(),
            moved_ids=persistent_table(self.moved_ids),
        )
        # Later states continue these.
        found.__dict__.update(
            fingerprints=self.fingerprints.persistent(),
            folded_names=persistent_table(self.folded_names),
            revision_count=self.revision_count,
            groups=self.groups.persistent(),
            common_fingerprint=self.common_fingerprint,
        )
        return found

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        """All definitions, in order of kind and name."""
        return tuple(chain.from_iterable(self.by_kind.values()))

    @cached_property
    def broken_by_name(self) -> Mapping[QualifiedName, BrokenFile]:
        """Files with errors by kind and folded name."""
        named = ((kind_and_name(one.path), one) for one in self.broken)
        return {(place[0], folded(place[1])): one for place, one in named if place is not None}

    @cached_property
    def folded_names(self) -> Mapping[QualifiedName, str]:
        """Names of definitions by kind and by the name as case-insensitive hosts compare it."""
        return {(one.kind, folded(one.name)): one.name for one in self.definitions}

    @cached_property
    def common_fingerprint(self) -> str:
        """A digest of all that every page and answer may depend on."""
        return common_fingerprint(self)

    def fingerprint_of(self, definition: Definition) -> str:
        """A digest of all that the pages and answers of one definition are made from."""
        return self.fingerprints.of((definition,), self)[0]

    def fingerprints_of(self, some: Sequence[Definition]) -> list[str]:
        """The digests of many definitions, in their order."""
        return self.fingerprints.of(some, self)

    @cached_property
    def fingerprints_by_kind(self) -> Mapping[str, list[str]]:
        """The digests of the definitions of each kind, in the order of `by_kind`."""
        return {kind: self.fingerprints_of(definitions) for kind, definitions in self.by_kind.items()}

    def fingerprint_of_tombstone(self, one: Tombstone) -> str:
        """As `fingerprint_of`, of a definition that was deleted."""
        return fingerprint_of_tombstone(self._tombstones_fingerprint, one, by_name=self.answers_by_name(one))

    @cached_property
    def _tombstones_fingerprint(self) -> str:
        return tombstones_fingerprint(self)

    @property
    def published(self) -> Mapping[str, Sequence[Definition]]:
        """The definitions of each kind that have an id, in order of id."""
        return self.lookups.published

    @property
    def by_kind(self) -> Mapping[str, Sequence[Definition]]:
        """Definitions of each kind, in order of name."""
        return self.lookups.by_kind

    @property
    def by_name(self) -> Mapping[QualifiedName, Definition]:
        """Definitions by kind and name."""
        return self.lookups.by_name

    def tombstone(self, kind: str, number: int) -> Tombstone | None:
        """Return what remains of the deleted definition with an id, or None."""
        return _with_id(self.tombstones.of_kind(kind), number)

    def tombstone_named(self, kind: str, name: str) -> Tombstone | None:
        """Return what remains of the deleted definition with a name, or None.

        Of several, that is the one that was deleted last. A definition that has the name now hides them;
        case does not matter for that.
        """
        folded_name = folded(name)
        found = self.tombstones.last_named(kind, folded_name)
        if found is None or found.name != name or (kind, folded_name) in self.folded_names:
            return None
        return found

    def answers_by_name(self, tombstone: Tombstone) -> bool:
        """True when a deleted definition is still found by its name."""
        return self.tombstone_named(tombstone.kind, tombstone.name) is tombstone

    @property
    def referring(self) -> Mapping[QualifiedName, Sequence[Referrer]]:
        """For a kind and name, the definitions that name it in a reference field, with the field."""
        return self.lookups.referring

    @cached_property
    def renamed(self) -> Mapping[QualifiedName, Definition]:
        """The definitions that had other names before, by kind and old name, as in `renamed_to`."""
        history = self.history
        if history is None:
            return {}
        found: dict[QualifiedName, tuple[str, Definition]] = {}
        moved = [path for path, lineage in history.by_path.items() if history.paths[lineage] != path]
        # A file that is renamed in the work tree has its old path in the history.
        moved += [path for path in self.uncommitted or () if path in history.by_path]
        moved += [definition_path(*place) for place in self.moved_ids]
        for path in sorted(set(moved)):
            place = kind_and_name(path)
            if place is not None:
                now = self.renamed_to(*place)
                if now is not None:
                    # One only of those that are the same on hosts that ignore case.
                    found.setdefault((place[0], folded(place[1])), (place[1], now))
        return {(kind, name): now for (kind, _), (name, now) in found.items()}

    def renamed_to(self, kind: str, name: str) -> Definition | None:
        """Return the definition that had a name before, or None.

        A definition that has the name now, or had it when it was deleted, hides it; case does not matter.
        """
        history, place = self.history, (kind, folded(name))
        moved = self.moved_ids.get((kind, name))
        lineage = history.by_path.get(definition_path(kind, name)) if history is not None else None
        is_taken = place in self.folded_names or self.tombstones.last_named(*place) is not None
        if is_taken or not has_address(name):
            return None
        if moved is not None:
            return self.definition(kind, moved)
        if history is None or lineage is None:
            return None
        number, path = history.ids[lineage], history.paths[lineage]
        found = self.by_name.get(kind_and_name(path) or ("", "")) if path is not None else None
        if number is not None and not self.is_fork and (found is None or found.id != number):
            # Renamed in the work tree, or since the history was read; another one may have its name now.
            found = self.definition(history.kinds[lineage], number)
        return found

    @cached_property
    def groups(self) -> Groups:
        """Definitions by what they have in common."""
        return groups_of(self.kinds, self.definitions)

    @property
    def recent(self) -> tuple[Definition, ...]:
        """The definitions that changed last, newest first."""
        return self.recent_definitions.definitions

    @cached_property
    def recent_definitions(self) -> RecentDefinitions:
        """The definitions that changed last, as a table that later snapshots continue."""
        return RecentDefinitions.of(self)

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
        return _with_id(self.published.get(kind, ()), number)

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
        """The fields that one revision changed, as in `RevisionChanges.of`."""
        return self.revision_changes.of(revision, self.contents)


def concerns_site(changed: Iterable[str]) -> bool:
    """True when a changed path is one that the site is made from."""
    starts = (f"{DEFINITIONS_FOLDER}/", f"{SCHEMA_FOLDER}/", f"{TEMPLATES_FOLDER}/", SETTINGS_PATH)
    return any(path.startswith(starts) for path in changed)


H = TypeVar("H", "Definition", "Tombstone")


def _with_id(in_order: Sequence[H], number: int) -> H | None:
    """Return the one with an id from a sequence in order of id, or None."""
    place = bisect_left(in_order, number, key=lambda one: one.id or 0)
    found = in_order[place] if place < len(in_order) else None
    return found if found is not None and found.id == number else None
