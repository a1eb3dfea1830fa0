"""What was read before, by content: definitions with their findings, histories. In this process and, with a cache, between runs.

All of it can be had again from the source; a memory that knows nothing gives the same, later.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from registry.cache.answers import AnswerCache
from registry.cache.cache_file import CacheFile
from registry.cache.spill_file import SpillFile
from registry.errors import UsageError
from registry.git import CommitOrder, Repository
from registry.history.archive import History
from registry.history.blobs import BlobReader
from registry.load import yaml
from registry.load.file_stats import Facts, is_settled
from registry.load.kinds import Kinds
from registry.load.loader import Recalled
from registry.load.source import Commit, Source, WorkTree
from registry.model.definition import Definition, Summary, summary_of
from registry.model.problem import Problem, Severity, Span

_HISTORIES = 3
# So many more than there are now may be held before they are let go.
_SPARE = 100
# What is asked of all definitions is kept in so many pieces: fast to read, and one edit writes one of them anew.
_PIECES = 64
_NAMES_OF_PIECES = [str(number) for number in range(_PIECES)]
# Where so many are read at once, their documents are put aside: they are most of what a build would hold.
_MANY = 500
# Where lists stand in an outline.
_LISTS = tuple(place for place, value in enumerate(Summary()) if value == ())


class CachedDefinition(NamedTuple):
    """A definition as it was read, with what was found wrong with it alone (None: nobody has looked)."""

    definition: Definition
    problems: tuple[Problem, ...]
    judged_by: str
    findings: tuple[Problem, ...] | None


class BuildCache:
    """For one registry; given to one build after another, never to two at once."""

    def __init__(self, cache: CacheFile | None = None) -> None:
        """Without a cache, what is known is known to this process alone."""
        self.cache = cache
        self.contents = BlobReader()
        self._kept: dict[tuple[str, str], CachedDefinition] = {}
        # Of files that were read: what a look at them told before, and their blob ids. And what it tells of those to be read now.
        self._has_files = False
        self._files_then: dict[str, Facts] = {}
        self._blob_ids: dict[str, str] = {}
        self._files_now: dict[str, Facts] = {}
        self._new: set[tuple[str, str]] = set()
        self._unstored: set[tuple[str, str]] = set()
        self._new_files: set[str] = set()
        self._judged_by = ""
        self._kinds: Kinds | None = None
        self._shelf: SpillFile | None = None
        self._stored = _Stored(cache, self.contents) if cache is not None else None
        self._histories: dict[str, History] = {}
        self.answers = AnswerCache(cache)

    # Definitions

    def judge_by(self, digest: str, kinds: Kinds) -> None:
        """Findings are believed only where the same schemas and settings judged; and outlines hold what these schemas refer to."""
        if digest != self._judged_by:
            self._kept.clear()
        self._judged_by, self._kinds = digest, kinds

    def recall(self, source: Source) -> dict[str, Recalled]:
        """The definitions in `source` that are as they were, judged by the same, and what reading them found; by path."""
        blobs = self._blobs(source)
        if not self._kept:
            self._kept = self._outlined()
        there = blobs.items()
        return {key[0]: kept[:2] for key, kept in self._kept.items() if key in there}

    def find(self, source: Source, paths: Sequence[str]) -> dict[str, Recalled]:
        """Those at these paths that were read in another state of the registry."""
        self._files_now = {}
        if isinstance(source, WorkTree):
            # Now, before they are read: facts are never newer than what is read.
            facts, looked_ns = source.facts(paths), source.looked_ns()
            self._files_now = {
                path: now
                for path in paths
                if (now := facts.get(path)) is not None and is_settled(now[1], looked_ns)
            }
        blobs = self._blobs(source, paths)
        keys = [(path, blobs[path]) for path in paths if path in blobs]
        self._fetch([key for key in keys if key not in self._kept])
        found = {path: kept[:2] for path, blob in keys if (kept := self._kept.get((path, blob))) is not None}
        self._shelf = SpillFile() if len(paths) - len(found) >= _MANY else None
        return found

    def learn(self, definition: Definition, problems: tuple[Problem, ...]) -> Definition:
        """A definition that was just read; the same, without the places of what is in it."""
        key = (definition.path, definition.blob)
        document = definition.document
        if self._shelf is not None:
            place = self._shelf.put(orjson.dumps(document.data), document.raw)
            document = yaml.StoredDocument(document.path, self._shelf, place)
        elif isinstance(document, yaml.ParsedDocument):
            document = yaml.StoredDocument(document.path, None, (document.data, document.raw))
        definition = definition._replace(document=document)
        self._kept[key] = CachedDefinition(definition, problems, "", None)
        self._new.add(key)
        self._unstored.add(key)
        facts = self._files_now.get(definition.path)
        if facts is not None:
            self._files_then[definition.path] = facts
            self._blob_ids[definition.path] = definition.blob
            self._new_files.add(definition.path)
        return definition

    def findings(self, definitions: Iterable[Definition]) -> list[tuple[Problem, ...] | None]:
        """What was found wrong with each definition alone, by the same schemas and settings."""
        known, judged_by = self._kept, self._judged_by
        return [
            kept.findings
            if (kept := known.get((one.document.path, one.blob))) is not None and kept.judged_by == judged_by
            else None
            for one in definitions
        ]

    def keep(self, definition: Definition, findings: tuple[Problem, ...]) -> None:
        """Remember what was found."""
        key = (definition.path, definition.blob)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept[key] = kept._replace(judged_by=self._judged_by, findings=findings)
            self._new.add(key)
            self._unstored.add(key)

    def _blobs(self, source: Source, some: Sequence[str] | None = None) -> Mapping[str, str]:
        """The blob id of each path, or of `some` paths, that can be known without reading."""
        if isinstance(source, Commit):
            return source.blobs()
        if not isinstance(source, WorkTree):
            return {}
        if not self._has_files:
            pieces = self.cache.all_of("files").values() if self.cache is not None else ()
            for paths, blobs, facts in map(orjson.loads, pieces):
                self._files_then.update(zip(paths, map(tuple, facts), strict=True))
                self._blob_ids.update(zip(paths, blobs, strict=True))
            self._has_files = True
        if some is None:
            same: Iterable[str] = (
                path for path, _ in self._files_then.items() & source.facts(self._files_then).items()
            )
        else:
            now = source.facts(some)
            same = (path for path in some if path in now and now[path] == self._files_then.get(path))
        return {path: self._blob_ids[path] for path in same}

    def _outlined(self) -> dict[tuple[str, str], CachedDefinition]:
        """The definitions of the last build, their documents left in the cache."""
        pieces = self.cache.all_of("outlines").values() if self.cache is not None else ()
        found = {}
        for judged_by, rows in map(orjson.loads, pieces):
            if judged_by != self._judged_by:
                continue  # by other schemas: references may be other fields
            for path, blob, kind, name, number, summary, problems, findings in rows:
                key = (path, blob)
                found[key] = CachedDefinition(
                    Definition(
                        kind,
                        name,
                        number,
                        yaml.StoredDocument(path, self._stored, key),
                        _outline(summary),
                        blob,
                    ),
                    tuple([_problem(facts) for facts in problems]) if problems else (),
                    judged_by,
                    tuple([_problem(facts) for facts in findings])
                    if findings
                    else ()
                    if findings is not None
                    else None,
                )
        return found

    def _fetch(self, keys: list[tuple[str, str]]) -> None:
        """Bring definitions from the cache."""
        if self.cache is None or not keys:
            return
        names = {f"{path}\n{blob}": (path, blob) for path, blob in keys}
        self._new.update(keys)  # not among the outlines yet
        for name, value in self.cache.get_many("definitions", list(names)):
            path, blob = names[name]
            head, json, _ = value.split(b"\n", 2)
            kind, name_, number, judged_by, problems, findings = orjson.loads(head)
            known = self._kinds.by_name.get(kind) if self._kinds is not None else None
            summary = summary_of(orjson.loads(json), known.references if known is not None else ())
            definition = Definition(
                kind, name_, number, yaml.StoredDocument(path, self._stored, (path, blob)), summary, blob
            )
            found = tuple(_problem(facts) for facts in findings) if findings is not None else None
            self._kept[path, blob] = CachedDefinition(
                definition, tuple(_problem(facts) for facts in problems), judged_by, found
            )

    # Histories

    def head_before(self, repository: Repository, commit: str, about: str) -> tuple[str, CommitOrder] | None:
        """The newest commit up to which history is known and that `commit` goes on from, and all commits after it, in order.

        None where there is none; `about` tells apart what a history depends on.
        """
        heads = self._known_heads(about)
        if commit in heads:
            return commit, CommitOrder([], {}, frozenset())
        for known in heads:
            order = repository.order_after(commit, known)
            if order is not None:
                return known, order
        return None

    def _known_heads(self, about: str) -> list[str]:
        inside = [key.removeprefix(f"{about}\n") for key in self._histories if key.startswith(f"{about}\n")]
        listed = self.cache.get("histories", f"{about}\nheads") if self.cache is not None else None
        stored = orjson.loads(listed) if listed is not None else []
        return list(dict.fromkeys([*reversed(inside), *stored]))

    def history(self, commit: str, about: str) -> History | None:
        """The history up to just this commit, if it is known."""
        key = f"{about}\n{commit}"
        found = self._histories.get(key)
        if found is None and self.cache is not None:
            stored = self.cache.get("histories", key)
            if stored is not None:
                found = self._histories[key] = History(stored)
        return found

    def learn_history(self, commit: str, about: str, stored: bytes) -> None:
        """Remember the history up to a commit: what a `HistoryBuilder` that has taken all before stored."""
        key = f"{about}\n{commit}"
        if self.cache is not None:
            heads = [commit, *(one for one in self._known_heads(about) if one != commit)]
            gone = [f"{about}\n{one}" for one in heads[_HISTORIES:]]
            self.cache.keep(
                {"histories": [(key, stored), (f"{about}\nheads", orjson.dumps(heads[:_HISTORIES]))]},
                {"histories": gone},
            )
        self._histories = {key: History(stored)}

    # Between runs

    def save(self, definitions: Sequence[Definition]) -> None:
        """Keep what is new in the cache; others than the `definitions` that there are now need not stay in memory."""
        if self.cache is not None and (self._new or self._new_files):
            rows = [
                (f"{path}\n{blob}", _packed(kept))
                for (path, blob) in self._unstored
                if (kept := self._kept.get((path, blob))) is not None
            ]
            outlines = {_piece(path) for path, _ in self._new}
            files = {_piece(path) for path in self._new_files}
            pieces: dict[str, list[Definition]] = {piece: [] for piece in outlines | files}
            for one in definitions:
                there = pieces.get(_piece(one.document.path))
                if there is not None:
                    there.append(one)
            self.cache.keep(
                {
                    "definitions": rows,
                    "outlines": [(piece, self._outlines(pieces[piece])) for piece in outlines],
                    "files": [(piece, self._files_of(pieces[piece])) for piece in files],
                }
            )
        self._new.clear()
        self._unstored.clear()
        self._new_files.clear()
        if len(self._kept) > 2 * len(definitions) + _SPARE:
            keys = {(one.path, one.blob) for one in definitions}
            self._kept = {key: kept for key, kept in self._kept.items() if key in keys}

    def _outlines(self, definitions: Iterable[Definition]) -> bytes:
        """One piece of what is kept of all definitions."""
        kept = [self._kept.get((one.path, one.blob)) for one in definitions]
        return orjson.dumps(
            [
                self._judged_by,
                [_outline_row(one) for one in kept if one is not None and one.judged_by == self._judged_by],
            ]
        )

    def _files_of(self, definitions: Iterable[Definition]) -> bytes:
        """One piece of what a look at the files told, in columns."""
        paths = [one.path for one in definitions if one.path in self._files_then]
        return orjson.dumps(
            [paths, [self._blob_ids[path] for path in paths], [self._files_then[path] for path in paths]]
        )


def _piece(path: str) -> str:
    return _NAMES_OF_PIECES[zlib.crc32(path.encode("utf-8", "surrogateescape")) % _PIECES]


class _Stored:
    """Documents in the cache, by path and blob id."""

    def __init__(self, cache: CacheFile, contents: BlobReader) -> None:
        self._cache = cache
        self._contents = contents

    def get(self, key: tuple[str, str]) -> tuple[bytes, bytes]:
        path, blob = key
        value = self._cache.get("definitions", f"{path}\n{blob}")
        if value is not None:
            _, json, raw = value.split(b"\n", 2)
            return json, raw
        # Another program, or a person, emptied the cache since we looked.
        found = self._contents.raw(blob)
        if found is None:
            raise UsageError(
                f"{path} was read before, and is not in the cache any more",
                "somebody emptied the cache: run it again",
            )
        return orjson.dumps(yaml.read_data(found)), found


def _packed(kept: CachedDefinition) -> bytes:
    """A definition as bytes: what was found, its data as JSON, the file's own bytes."""
    one = kept.definition
    findings = [_problem_facts(problem) for problem in kept.findings] if kept.findings is not None else None
    head = [
        one.kind,
        one.name,
        one.id,
        kept.judged_by,
        [_problem_facts(problem) for problem in kept.problems],
        findings,
    ]
    return b"\n".join((orjson.dumps(head), orjson.dumps(one.data), one.raw))


def _outline_row(kept: CachedDefinition) -> list[Any]:
    one = kept.definition
    findings = [_problem_facts(problem) for problem in kept.findings] if kept.findings is not None else None
    return [
        one.path,
        one.blob,
        one.kind,
        one.name,
        one.id,
        tuple(one.summary),
        [_problem_facts(problem) for problem in kept.problems],
        findings,
    ]


def _outline(facts: list[Any]) -> Summary:
    for place in _LISTS:
        facts[place] = tuple(facts[place])
    return Summary._make(facts)


def _problem_facts(problem: Problem) -> list[Any]:
    return [
        problem.rule,
        problem.severity.value,
        list(problem.span),
        problem.message,
        problem.hint,
        problem.pointer,
    ]


def _problem(facts: list[Any]) -> Problem:
    rule, severity, span, message, hint, pointer = facts
    return Problem(rule, Severity(severity), Span(*span), message, hint, pointer)
