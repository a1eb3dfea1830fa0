"""Files of the JSON API: which ones there are, and the answers in each."""

from __future__ import annotations

import hashlib
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from registry.cache.build_cache import Table
from registry.model import addresses
from registry.render.json_api import (
    detail_bytes,
    history_body,
    index_body,
    list_page_body,
    page_count,
    published,
    revision_body,
    revision_with_content,
    snapshot_body,
    tombstone_body,
    tombstone_prefixes,
)
from registry.render.target import File, Target, TargetGroup, digest_of, json_file, rendered_target, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry.load.kinds import Kind
    from registry.model.definition import Definition
    from registry.model.revision import Revision
    from registry.snapshot import Snapshot, Tombstone

# Number of ids in one run of answers. A run has some hundred kilobytes, so that an edit costs little to
# render and to cache.
_IN_ONE_RUN = 128
ANSWERS: Table[bytes] = Table("answers", bytes, bytes, in_pieces=False)
"""Runs of answers, one answer per line, by kind and number of the run.

The digest represents the fingerprints of the definitions.
"""


def render(snapshot: Snapshot, *, live: bool = False) -> Iterator[Target | TargetGroup]:
    """Yield all files below `api/` except `openapi.json`.

    `live`: each revision has an address of its own in every layout.
    """
    settings = snapshot.settings
    with_revisions = settings.shows_revisions if live else settings.has_revision_addresses
    yield _index(snapshot)
    yield rendered_target(
        addresses.API_SNAPSHOT, File(addresses.API_SNAPSHOT, to_json(snapshot_body(snapshot)))
    )
    yield rendered_target(addresses.API_LEDGER, _ledger(snapshot))
    for kind in snapshot.kinds:
        yield from _lists(snapshot, kind)
        definitions = snapshot.by_kind[kind.name]
        fingerprints = snapshot.fingerprints_by_kind[kind.name]
        yield _definitions(snapshot, kind.name, definitions, fingerprints, with_revisions)
        for tombstone in snapshot.tombstones.of_kind(kind.name):
            name = f"{addresses.api_list(kind.name)}#{tombstone.id}"
            yield Target(
                name,
                snapshot.fingerprint_of_tombstone(tombstone),
                tombstone_prefixes(snapshot, tombstone),
                partial(_tombstone, snapshot, tombstone, with_revisions),
            )


def render_one(snapshot: Snapshot, definition: Definition) -> Target:
    """Return the target with the answers of one definition, and those of its revisions in every layout."""
    fingerprints = [snapshot.fingerprint_of(definition)]
    return _definitions(
        snapshot, definition.kind, [definition], fingerprints, snapshot.settings.shows_revisions
    ).target(0)


def _definitions(
    snapshot: Snapshot,
    kind: str,
    definitions: Sequence[Definition],
    fingerprints: Sequence[str],
    with_revisions: bool,
) -> TargetGroup:
    names = [f"{addresses.API}/{kind}:{one.name}" for one in definitions]

    def target(number: int) -> Target:
        definition = definitions[number]
        by_name = addresses.api_by_name(kind, definition.name)
        prefixes = (
            (by_name, addresses.api_detail(kind, definition.id)) if definition.id is not None else (by_name,)
        )
        make = partial(_definition, snapshot, definition, with_revisions)
        return Target(names[number], fingerprints[number], prefixes, make)

    def numbers_by_prefix() -> dict[str, int]:
        by_name = {addresses.api_by_name(kind, one.name): number for number, one in enumerate(definitions)}
        by_id = {
            addresses.api_detail(kind, one.id): number
            for number, one in enumerate(definitions)
            if one.id is not None
        }
        return by_name | by_id

    return TargetGroup(names, fingerprints, target, numbers_by_prefix)


def _ledger(snapshot: Snapshot) -> File:
    """Return `/api/ledger.ndjson`: every id ever assigned.

    A branch that was reset restores its ledger from this file.
    """
    return File(addresses.API_LEDGER, snapshot.ledger.text.encode())


def _definition(snapshot: Snapshot, definition: Definition, with_revisions: bool) -> Iterator[File]:
    data = detail_bytes(snapshot, definition) + b"\n"
    by_name = addresses.api_files(addresses.api_by_name(definition.kind, definition.name))
    if definition.id is None:
        yield File(by_name[0], data, by_name[1:])
    else:
        path, twin = addresses.api_files(addresses.api_detail(definition.kind, definition.id))
        yield File(path, data, (twin, *by_name))
        yield from _history(snapshot, definition, snapshot.revisions_of(definition), with_revisions)


def _tombstone(snapshot: Snapshot, tombstone: Tombstone, with_revisions: bool) -> Iterator[File]:
    path, *twins = [
        file for prefix in tombstone_prefixes(snapshot, tombstone) for file in addresses.api_files(prefix)
    ]
    yield File(path, to_json(tombstone_body(snapshot, tombstone)), tuple(twins))
    yield from _history(snapshot, tombstone, tombstone.revisions, with_revisions)


def _lists(snapshot: Snapshot, kind: Kind) -> Iterator[Target]:
    size = snapshot.settings.page_size
    listed = published(snapshot, kind.name)
    fingerprints = snapshot.fingerprints_of(listed)
    for page in range(1, page_count(len(listed), size) + 1):
        path = addresses.api_list(kind.name, page)
        shown = slice((page - 1) * size, page * size)
        yield Target(
            path,
            digest_of(snapshot.common_fingerprint, len(listed), fingerprints[shown]),
            (path,),
            partial(_list_page, snapshot, kind, page),
        )
    yield _whole(snapshot, kind, fingerprints)
    yield _schema(snapshot, kind)


def _whole(snapshot: Snapshot, kind: Kind, fingerprints: Sequence[str]) -> Target:
    """Return the target with all definitions of a kind in one file, as JSON and as lines."""
    files = _all_files(kind)
    fingerprint = digest_of(snapshot.common_fingerprint, fingerprints)
    return Target(
        files[0], fingerprint, files, partial(_everything, snapshot, kind, fingerprints), is_long=True
    )


def _schema(snapshot: Snapshot, kind: Kind) -> Target:
    path = addresses.api_schema(kind.name)
    return Target(path, snapshot.common_fingerprint, (path,), lambda: [json_file(path, kind.schema)])


def _index(snapshot: Snapshot) -> Target:
    path = addresses.API
    return Target(path, snapshot.common_fingerprint, (path,), lambda: [json_file(path, index_body(snapshot))])


def target_at(snapshot: Snapshot, path: str) -> Target | None:
    """Return the target with a file that is not about single definitions or a page of a list, or None.

    `registry.render.json_answer` makes all other answers.
    """
    if path in addresses.api_files(addresses.API):
        return _index(snapshot)
    for kind in snapshot.kinds:
        if path in addresses.api_files(addresses.api_schema(kind.name)):
            return _schema(snapshot, kind)
        if path in _all_files(kind):
            return _whole(snapshot, kind, snapshot.fingerprints_of(published(snapshot, kind.name)))
    return None


def _list_page(snapshot: Snapshot, kind: Kind, page: int) -> Iterator[File]:
    path, twin = addresses.api_files(addresses.api_list(kind.name, page))
    yield File(path, list_page_body(snapshot, kind, page), (twin,))


def _everything(snapshot: Snapshot, kind: Kind, fingerprints: Sequence[str]) -> Iterator[File]:
    as_json, as_lines = _all_files(kind)
    yield File(as_json, partial(_as_list, snapshot, kind, fingerprints))
    yield File(as_lines, partial(_runs, snapshot, kind, fingerprints))


def _all_files(kind: Kind) -> tuple[str, str]:
    return addresses.api_all(kind.name, "json"), addresses.api_all(kind.name, "ndjson")


def _as_list(snapshot: Snapshot, kind: Kind, fingerprints: Sequence[str]) -> Iterator[bytes]:
    before = b'{"objects":['
    for lines in _runs(snapshot, kind, fingerprints):
        # In compact JSON, a line feed only occurs at the end of an answer.
        yield before + lines[:-1].replace(b"\n", b",")
        before = b","
    yield b"]}\n" if before == b"," else b'{"objects":[]}\n'


def _runs(snapshot: Snapshot, kind: Kind, fingerprints: Sequence[str]) -> Iterator[bytes]:
    """Yield the answers of all definitions in order of id, one per line, in runs.

    After one edit most runs are cached.
    """
    listed = published(snapshot, kind.name)
    start = 0
    for number, some in groupby([(one.id or 0) // _IN_ONE_RUN for one in listed]):
        end = start + sum(1 for _ in some)
        run, digest = (
            listed[start:end],
            hashlib.blake2b("".join(fingerprints[start:end]).encode(), digest_size=16).hexdigest(),
        )
        start = end
        name = f"{kind.name} {number}"
        make = partial(_run, snapshot, name, run)
        yield snapshot.cache.get_or_compute(ANSWERS, {name: digest}, make)[name]


def _run(
    snapshot: Snapshot, name: str, definitions: Sequence[Definition], _: Sequence[str]
) -> dict[str, bytes]:
    return {name: b"".join([detail_bytes(snapshot, definition) + b"\n" for definition in definitions])}


def _history(
    snapshot: Snapshot, of: Definition | Tombstone, revisions: Sequence[Revision], with_revisions: bool
) -> Iterator[File]:
    kind, number, name = of.kind, of.id, of.name
    assert number is not None, "the history of a definition without an id has no address"
    bodies = [revision_with_content(snapshot, revision) for revision in revisions]
    yield json_file(addresses.api_history(kind, number), history_body(snapshot, number, name, bodies))
    if not with_revisions:
        return
    for revision, body in zip(revisions, bodies, strict=True):
        yield json_file(
            addresses.api_revision(kind, number, revision.number), revision_body(snapshot, number, body)
        )
