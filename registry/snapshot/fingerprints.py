"""Digests of all that the pages and answers of one definition are made from; pure.

Equal digests mean equal bytes: a build renders again only what has another digest than before, and a server
keeps answers by digest.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

import orjson

from registry.cache.cache_file import program_digest
from registry.history.archive import NO_REVISIONS
from registry.model.persistent import persistent_table, updated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from registry.load.lookups import QualifiedName
    from registry.model.definition import Definition
    from registry.snapshot.snapshot import Snapshot
    from registry.snapshot.tombstones import Tombstone


class Fingerprints:
    """The digests of the definitions of one snapshot that are known so far.

    Threads may use it at the same time: at worst, both compute the same digest.
    """

    def __init__(self, known: Mapping[QualifiedName, str] | None = None) -> None:
        """Start with some digests, by kind and name."""
        self._known: Mapping[QualifiedName, str] = known if known is not None else {}

    def persistent(self) -> Fingerprints:
        """Return the same digests as a persistent table: `without` copies nothing."""
        return Fingerprints(persistent_table(self._known))

    def without(self, concerned: Iterable[QualifiedName]) -> Fingerprints:
        """Return the digests of all definitions except these."""
        return Fingerprints(updated(self._known, dict.fromkeys(concerned)))

    def of(self, some: Sequence[Definition], snapshot: Snapshot) -> list[str]:
        """Return the digests of definitions of a snapshot, in their order."""
        # Lists of all groups ask for the same digests repeatedly.
        known_ones = [self._known.get((one[0], one[1])) for one in some]
        if None in known_ones:
            return self._compute(some, snapshot)
        return cast("list[str]", known_ones)

    def _compute(self, some: Sequence[Definition], snapshot: Snapshot) -> list[str]:
        known, common, by_name = self._known, snapshot.common_fingerprint, snapshot.by_name
        references = {kind.name: kind.references for kind in snapshot.kinds}
        revisions, referring = snapshot.revisions, snapshot.referring
        # An export contains fields of the application. Pages show only whether it exists.
        shown = _blob_of if snapshot.settings.exports else _exists
        found, computed = [], dict[tuple[str, str], str]()
        for kind, name, number, _, summary, blob in some:
            place = (kind, name)
            fingerprint = known.get(place)
            if fingerprint is None:
                # Joined texts instead of JSON: each build computes this for every definition.
                stored, added = revisions.get(place, NO_REVISIONS).key
                others = referring.get(place)
                links = [
                    shown(by_name.get((to.kind, target or "")))
                    for to, target in zip(references[kind], summary.references, strict=True)
                ]
                facts = f"{common}\0{kind}\0{name}\0{number}\0{blob}\0{links}\0{stored}"
                more = (
                    (added, [[one.kind, one.name, one.summary.title] for one, _ in others or ()])
                    if added or others
                    else None
                )
                fingerprint = computed[place] = _digest(facts, more)
            found.append(fingerprint)
        if computed:
            self._add(computed)
        return found

    def _add(self, computed: dict[QualifiedName, str]) -> None:
        if isinstance(self._known, dict):
            self._known.update(computed)
        else:
            self._known = updated(self._known, computed)


def _exists(definition: Definition | None) -> bool:
    return definition is not None


def _blob_of(definition: Definition | None) -> str | None:
    return definition.blob if definition is not None else None


def common_fingerprint(snapshot: Snapshot) -> str:
    """Return a digest of all that every page and answer may depend on."""
    facts: list[Any] = [
        program_digest(),
        repr(snapshot.settings),
        snapshot.history_complete,
        repr(snapshot.preview),
        snapshot.mailmap_digest,
    ]
    facts += [[kind.name, kind.description, kind.schema, repr(kind.traits)] for kind in snapshot.kinds]
    facts += [repr(adapter) for adapter in snapshot.kinds.adapters.values()]
    facts += [[name, hashlib.blake2b(data).hexdigest()] for name, data in snapshot.templates.items()]
    if snapshot.has_own_templates:
        # They may show on any page what ours show on one.
        facts += [
            snapshot.commit,
            snapshot.commit_time,
            snapshot.is_dirty,
            snapshot.revision_count,
            [len(found) for found in snapshot.by_kind.values()],
        ]
    return hashlib.blake2b(orjson.dumps(facts, default=repr), digest_size=16).hexdigest()


def tombstones_fingerprint(snapshot: Snapshot) -> str:
    """Return a digest of what the pages and answers of all tombstones may depend on.

    The last content of one is read when its page is made. Which definitions that refers to is not known here.
    """
    kinds = snapshot.kinds.referenced
    names = sorted(f"{kind}/{name}" for kind, name in snapshot.by_name if kind in kinds)
    facts = "\0".join([snapshot.common_fingerprint, *names])
    return hashlib.blake2b(facts.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def fingerprint_of_tombstone(common: str, one: Tombstone, *, by_name: bool) -> str:
    """Return the digest of a tombstone. `common` is that of all, `by_name`: it is found by its name, too."""
    stored, added = one.revisions.key
    facts = f"{common}\0{one.kind}\0{one.name}\0{one.id}\0{by_name}\0{one.lost_blob}\0{stored}"
    return _digest(facts, (added,) if added else None)


def _digest(facts: str, more: Sequence[object] | None) -> str:
    digest = hashlib.blake2b(facts.encode("utf-8", "surrogateescape"), digest_size=16)
    if more is not None:
        digest.update(orjson.dumps(more, default=str))
    return digest.hexdigest()
