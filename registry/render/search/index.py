"""The index of the search: which files there are, and what is in each.

Definitions are read in runs of about a hundred ids. A run has a part for each file: rows, facets, shards of
terms, and words by their ending. A file is the union of the same part of all runs, and its fingerprint a
digest of these parts, so one edit reads one run again and renders only the files whose content it changes.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from registry.cache.build_cache import Table
from registry.cache.cache_file import program_digest
from registry.model import addresses
from registry.render.search.documents import RANKS, facet_names, facets_of, ranks_of, row_of
from registry.render.search.terms import ending_of, may_be_misspelled, shard_of
from registry.render.target import File, Target, to_json
from registry.runtime import shared_map

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from registry.load.lookups import QualifiedName
    from registry.model.definition import Definition
    from registry.snapshot import Snapshot

MOST_ROWS_IN_ONE_FILE = 2_000
"""A registry with fewer definitions has one file of rows: one request gets all."""
_IN_ONE_RUN = 100
_ROWS, _ENDINGS, _FACET, _TERMS = "rows", "endings ", "facet ", "terms "
_RUNS: Table[bytes] = Table("search", bytes, bytes, in_pieces=False)
"""Parts of runs, one per line with its name, by number of the run.

The digest represents the contents of the definitions.
"""


def search_index(snapshot: Snapshot) -> SearchIndex:
    """Return the index of a snapshot. It is computed once, from that of an earlier state if there is one."""
    found: SearchIndex | None = snapshot.derived.get(__name__)
    if found is None:
        before = snapshot.derived_before.get(__name__)
        found = before.value.after(snapshot, before.changed) if before is not None else SearchIndex(snapshot)
        snapshot.derived[__name__] = found
    return found


def search_settings(snapshot: Snapshot) -> str:
    """Return what the search page must know before it loads a file of the index, as JSON."""
    index = search_index(snapshot)
    settings = {
        "kinds": [[kind.name, kind.title] for kind in index.kinds],
        "facets": [[name, name.replace("_", " ").capitalize()] for name in index.facets if index.count],
        "hasShards": index.has_shards,
        "perShard": _IN_ONE_RUN,
        "shards": index.shards(_TERMS),
        "endings": index.shards(_ENDINGS),
    }
    return to_json(settings).decode().strip()


def render(snapshot: Snapshot, *, live: bool = False) -> Iterator[Target]:
    """Yield all files of the index. `live` changes nothing."""
    yield from search_index(snapshot).targets()


def target_at(snapshot: Snapshot, path: str) -> Target | None:
    """Return the target with a file of the index, or None."""
    if not path.startswith(f"{addresses.SEARCH}/") or not path.endswith(".json"):
        return None
    return search_index(snapshot).target_at(path)


class _Item(NamedTuple):
    """A definition with its number in the index and the place of its kind."""

    number: int
    kind_place: int
    definition: Definition


class SearchIndex:
    """The index of one snapshot.

    A definition has a number: its id times the number of kinds, plus the place of its kind. Definitions
    without an id get the next ids in order of name; they are unique in this snapshot only.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        """Read the runs that have changed since they were cached."""
        self._take_facts(snapshot)
        # Parts by their name and run, in order of run.
        self._parts: dict[str, dict[int, bytes]] = {}
        self._decoded: dict[str, dict[str, list[int]]] = {}
        self._read_runs(snapshot, self._runs_of(snapshot))

    def _take_facts(self, snapshot: Snapshot) -> None:
        self.kinds = list(snapshot.kinds)
        self.facets = facet_names(snapshot.kinds)
        self.count = sum(map(len, snapshot.by_kind.values()))
        self._has_all_ids = self.count == sum(map(len, snapshot.published.values()))
        # The last id of each kind that is in use or was assigned.
        self._last_ids = [
            max(
                snapshot.ledger.next_id(kind.name) - 1,
                *(one.id or 0 for one in snapshot.published[kind.name][-1:]),
                0,
            )
            for kind in self.kinds
        ]

    def after(self, snapshot: Snapshot, changed: Mapping[QualifiedName, Definition | None]) -> SearchIndex:
        """Return the index of a later state of the same source; see `DerivedBefore` for `changed`.

        Reads the runs with these definitions only.
        """
        found = SearchIndex.__new__(SearchIndex)
        found._take_facts(snapshot)
        if not (self._has_all_ids and found._has_all_ids):
            return SearchIndex(snapshot)  # the numbers of others can change, too
        both = (*changed.values(), *map(snapshot.by_name.get, changed))
        runs = {(one.id or 0) // _IN_ONE_RUN for one in both if one is not None}
        touched = {name for name, parts in self._parts.items() if not runs.isdisjoint(parts)}
        found._parts = {
            name: {run: part for run, part in parts.items() if run not in runs} if name in touched else parts
            for name, parts in self._parts.items()
        }
        found._decoded = {}
        found._read_runs(snapshot, found._items_in(snapshot, sorted(runs)))
        return found

    def _read_runs(self, snapshot: Snapshot, runs: Mapping[int, Sequence[_Item]]) -> None:
        """Add the parts of runs."""
        by_key = {str(run): items for run, items in runs.items()}
        read = snapshot.cache.get_or_compute(_RUNS, self._digests(by_key), partial(self._compute, by_key))
        added: dict[str, dict[int, bytes]] = defaultdict(dict)
        for run in runs:
            for line in read[str(run)].splitlines():
                name, _, part = line.partition(b"\t")
                added[name.decode()][run] = part
        together = {
            part_name: dict(sorted({**self._parts.get(part_name, {}), **parts}.items()))
            for part_name, parts in added.items()
        }
        # Words that no definition has any more have no file.
        self._parts = {key: parts for key, parts in {**self._parts, **together}.items() if parts}

    @property
    def has_shards(self) -> bool:
        """True when the rows are in several files."""
        return self.count >= MOST_ROWS_IN_ONE_FILE

    def shards(self, prefix: str) -> list[str]:
        """Return the names of the shards of terms or of endings, in order."""
        return sorted(name.removeprefix(prefix) for name in self._parts if name.startswith(prefix))

    def terms(self, shard: str) -> Mapping[str, Sequence[int]]:
        """Return where each term of a shard is, in order: number of the definition times RANKS, plus rank."""
        known = self._decoded
        if shard not in known:
            places: dict[str, list[int]] = {}
            for part in self._parts.get(f"{_TERMS}{shard}", {}).values():
                for term, some in orjson.loads(part).items():
                    places.setdefault(term, []).extend(some)
            known[shard] = places
        return known[shard]

    def words_ending(self, shard: str) -> list[str]:
        """Return the words whose last two letters belong to a shard, in order.

        Only words that are compared with tolerance for typing errors.
        """
        return sorted(
            {
                word
                for part in self._parts.get(f"{_ENDINGS}{shard}", {}).values()
                for word in orjson.loads(part)
            }
        )

    def facet(self, name: str) -> Mapping[str, Sequence[int]]:
        """Return the numbers of the definitions with each value of a facet, values in order."""
        found: dict[str, list[int]] = defaultdict(list)
        for part in self._parts.get(f"{_FACET}{name}", {}).values():
            for value, numbers in orjson.loads(part).items():
                found[value] += numbers
        return dict(sorted(found.items()))

    def ids_of_kind(self, kind: str, numbers: Iterable[int]) -> list[int]:
        """Return the ids of the definitions of a kind among those with these numbers, in the same order.

        Definitions without an id are omitted.
        """
        place = next(place for place, one in enumerate(self.kinds) if one.name == kind)
        found = (divmod(number, len(self.kinds)) for number in numbers)
        return [number for number, at in found if at == place and number <= self._last_ids[place]]

    def targets(self) -> Iterator[Target]:
        """Yield one target for each file."""
        yield from map(self._target, self._files)

    def target_at(self, path: str) -> Target | None:
        """Return the target with a file, or None."""
        return self._target(path) if path in self._files else None

    def _target(self, path: str) -> Target:
        parts, body = self._files[path]
        digest = hashlib.blake2b(program_digest().encode(), digest_size=16)
        digest.update(b"\n".join(parts))
        return Target(path, digest.hexdigest(), (path,), lambda: [File(path, to_json(body()))])

    @cached_property
    def _files(self) -> dict[str, tuple[Sequence[bytes], Callable[[], object]]]:
        """The parts of each file by path, and a function that returns its content."""
        return {path: (parts, body) for parts, (path, body) in self._paths_and_bodies()}

    def _paths_and_bodies(self) -> Iterator[tuple[Sequence[bytes], tuple[str, Callable[[], object]]]]:
        for name, by_run in self._parts.items():
            parts = [*by_run.values()]
            of = name.partition(" ")[2]
            if name == _ROWS and self.has_shards:
                for run, part in by_run.items():
                    yield [part], (addresses.search_rows(str(run)), partial(_merged, [part]))
            elif name == _ROWS:
                yield parts, (addresses.search_rows(""), partial(_merged, parts))
            elif name.startswith(_ENDINGS):
                yield parts, (addresses.search_endings(of), partial(self.words_ending, of))
            elif name.startswith(_FACET):
                yield parts, (addresses.search_facet(of), partial(self._facet_body, of))
            else:
                yield parts, (addresses.search_terms(of), partial(self._terms_body, of))

    def _terms_body(self, shard: str) -> dict[str, list[int]]:
        found = self.terms(shard)
        return {term: _steps(found[term]) for term in sorted(found)}

    def _facet_body(self, name: str) -> list[tuple[str, list[int]]]:
        # Pairs: a value can be any text, which a key of a JavaScript object cannot.
        return [(value, _steps(numbers)) for value, numbers in self.facet(name).items()]

    def _runs_of(self, snapshot: Snapshot) -> dict[int, list[_Item]]:
        """Return the definitions by run, in order of number."""
        numbered: list[_Item] = []
        for place, kind in enumerate(self.kinds):
            numbered += [self._item(one.id or 0, place, one) for one in snapshot.published[kind.name]]
            pending = [one for one in snapshot.by_kind[kind.name] if one.id is None]
            numbered += [
                self._item(self._last_ids[place] + number, place, one)
                for number, one in enumerate(pending, 1)
            ]
        runs: dict[int, list[_Item]] = defaultdict(list)
        for item in sorted(numbered, key=lambda item: item.number):
            runs[item.number // len(self.kinds) // _IN_ONE_RUN].append(item)
        return runs

    def _items_in(self, snapshot: Snapshot, runs: Iterable[int]) -> dict[int, list[_Item]]:
        """As `_runs_of`, of some runs; all definitions have ids."""
        found = {}
        for run in runs:
            start = run * _IN_ONE_RUN
            items = [
                self._item(number, place, one)
                for place, kind in enumerate(self.kinds)
                for number in range(start, start + _IN_ONE_RUN)
                if (one := snapshot.definition(kind.name, number)) is not None
            ]
            if items:
                found[run] = sorted(items, key=lambda item: item.number)
        return found

    def _item(self, number: int, place: int, definition: Definition) -> _Item:
        return _Item(number * len(self.kinds) + place, place, definition)

    def _digests(self, runs: Mapping[str, Sequence[_Item]]) -> dict[str, str]:
        traits = [[kind.name, repr(kind.traits)] for kind in self.kinds]
        common = hashlib.blake2b(orjson.dumps([program_digest(), traits]), digest_size=16).digest()
        digests = {}
        for run, items in runs.items():
            facts = "\0".join([f"{number}\0{one.name}\0{one.id}\0{one.blob}" for number, _, one in items])
            digest = hashlib.blake2b(common, digest_size=16)
            digest.update(facts.encode("utf-8", "surrogateescape"))
            digests[run] = digest.hexdigest()
        return digests

    def _compute(self, items: Mapping[str, Sequence[_Item]], runs: Sequence[str]) -> dict[str, bytes]:
        return dict(zip(runs, shared_map(self._read, [items[run] for run in runs]), strict=True))

    def _read(self, items: Sequence[_Item]) -> bytes:
        """Return all parts of one run."""
        rows: dict[str, Any] = {}
        facets: dict[str, dict[str, list[int]]] = {name: defaultdict(list) for name in self.facets}
        places: dict[str, list[int]] = defaultdict(list)
        for number, place, definition in items:
            kind = self.kinds[place]
            rows[str(number)] = row_of(definition)
            values = facets_of(kind, definition)
            for name in self.facets:
                for value in values.get(name, ()):
                    facets[name][value].append(number)
            for term, rank in ranks_of(kind, definition, values).items():
                places[term].append(number * RANKS + rank)
        shards: dict[str, dict[str, list[int]]] = defaultdict(dict)
        endings: dict[str, list[str]] = defaultdict(list)
        for term in sorted(places):
            shards[shard_of(term)][term] = places[term]
            if may_be_misspelled(term):
                endings[ending_of(term)].append(term)
        parts = {
            _ROWS: rows,
            **{f"{_ENDINGS}{name}": found for name, found in endings.items()},
            **{f"{_FACET}{name}": found for name, found in facets.items()},
            **{f"{_TERMS}{name}": found for name, found in shards.items()},
        }
        return b"".join([name.encode() + b"\t" + orjson.dumps(part) + b"\n" for name, part in parts.items()])


def _merged(parts: Sequence[bytes]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in orjson.loads(part).items()}


def _steps(numbers: Sequence[int]) -> list[int]:
    """Return the first number and the differences to the next ones, which are shorter."""
    return [number - before for before, number in zip([0, *numbers], numbers, strict=False)]
