"""What was read before, by content: definitions with their findings, histories. In this process and, with a cache, between runs.

All of it can be had again from the source; a memory that knows nothing gives the same, later.
"""

import time
import zlib
from collections.abc import Container, Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from registry import yaml
from registry.answers import Answers
from registry.cache import Cache
from registry.contents import Contents
from registry.errors import Problem, Severity, Span, UsageError
from registry.git import Repository
from registry.history import History, Tracer
from registry.kinds import Kinds
from registry.loader import Definition
from registry.outline import Outline, outline_of
from registry.shelf import Shelf
from registry.source import Commit, FileFacts, Source, WorkTree

_HISTORIES = 3
# So many more than there are now may be held before they are let go.
_SPARE = 100
# What is asked of all definitions is kept in so many pieces: fast to read, and one edit writes one of them anew.
_PIECES = 64
# Where so many are read at once, their documents are put aside: they are most of what a build would hold.
_MANY = 500


class Kept(NamedTuple):
    """A definition as it was read, with what was found wrong with it alone (None: nobody has looked)."""

    definition: Definition
    problems: tuple[Problem, ...]
    judged_by: str
    findings: tuple[Problem, ...] | None


class Memory:
    """For one registry; given to one build after another, never to two at once."""

    def __init__(self, cache: Cache | None = None) -> None:
        """Without a cache, what is known is known to this process alone."""
        self.cache = cache
        self.contents = Contents()
        self._kept: dict[tuple[str, str], Kept] = {}
        self._files: dict[str, tuple[str, tuple[int, ...]]] | None = None
        self._files_now: dict[str, FileFacts] = {}
        self._new: set[tuple[str, str]] = set()
        self._unstored: set[tuple[str, str]] = set()
        self._new_files: set[str] = set()
        self._judged_by = ""
        self._kinds: Kinds | None = None
        self._shelf: Shelf | None = None
        self._stored = _Stored(cache, self.contents) if cache is not None else None
        self._histories: dict[str, Tracer] = {}
        self.answers = Answers(cache)

    # Definitions

    def judge_by(self, digest: str, kinds: Kinds) -> None:
        """Findings are believed only where the same schemas and settings judged; and outlines hold what these schemas refer to."""
        if digest != self._judged_by:
            self._kept.clear()
        self._judged_by, self._kinds = digest, kinds

    def recall(self, source: Source, paths: Sequence[str]) -> dict[str, tuple[Definition, tuple[Problem, ...]]]:
        """The definitions at these paths that are as they were, and what reading them found."""
        blobs = self._blobs(source, paths)
        if not self._kept:
            self._kept = self._outlined()
        self._fetch([key for key in blobs.items() if key not in self._kept])
        found = {key[0]: (kept.definition, kept.problems) for key in blobs.items() if (kept := self._kept.get(key)) is not None}
        self._shelf = Shelf() if len(paths) - len(found) >= _MANY else None
        return found

    def learn(self, definition: Definition, problems: tuple[Problem, ...]) -> Definition:
        """A definition that was just read; the same, without the places of what is in it."""
        key = (definition.path, definition.blob)
        document = definition.document
        if self._shelf is not None:
            place = self._shelf.put(orjson.dumps(document.data), document.raw)
            document = yaml.StoredDocument(document.path, self._shelf, place)
        elif isinstance(document, yaml.Document):
            document = yaml.StoredDocument(document.path, None, (document.data, document.raw))
        definition = definition._replace(document=document)
        self._kept[key] = Kept(definition, problems, "", None)
        self._new.add(key)
        self._unstored.add(key)
        facts = self._files_now.get(definition.path)
        if facts is not None and facts.is_settled and self._files is not None:
            self._files[definition.path] = (definition.blob, facts[:4])
            self._new_files.add(definition.path)
        return definition

    def findings(self, definition: Definition) -> tuple[Problem, ...] | None:
        """What was found wrong with a definition alone, by the same schemas and settings."""
        kept = self._kept.get((definition.path, definition.blob))
        return kept.findings if kept is not None and kept.judged_by == self._judged_by else None

    def keep(self, definition: Definition, findings: tuple[Problem, ...]) -> None:
        """Remember what was found."""
        key = (definition.path, definition.blob)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept[key] = kept._replace(judged_by=self._judged_by, findings=findings)
            self._new.add(key)
            self._unstored.add(key)

    def _blobs(self, source: Source, paths: Sequence[str]) -> dict[str, str]:
        """The blob id of each path that can be known without reading."""
        if isinstance(source, Commit):
            return {path: blob for path in paths if (blob := source.blob_of(path)) is not None}
        if not isinstance(source, WorkTree):
            return {}
        if self._files is None:
            pieces = self.cache.all_of("files").values() if self.cache is not None else ()
            self._files = {path: (blob, tuple(facts)) for piece in pieces for path, (blob, facts) in orjson.loads(piece).items()}
        now = time.time_ns()
        self._files_now = {path: facts for path in paths if (facts := source.facts_of(path, now)) is not None}
        known = self._files
        return {path: known[path][0] for path, facts in self._files_now.items() if path in known and known[path][1] == facts[:4]}

    def _outlined(self) -> dict[tuple[str, str], Kept]:
        """The definitions of the last build, their documents left in the cache."""
        pieces = self.cache.all_of("outlines").values() if self.cache is not None else ()
        found = {}
        for judged_by, rows in map(orjson.loads, pieces):
            if judged_by != self._judged_by:
                continue  # by other schemas: references may be other fields
            for path, blob, kind, name, number, outline, problems, findings in rows:
                document = yaml.StoredDocument(path, self._stored, f"{path}\n{blob}")
                found[path, blob] = Kept(
                    Definition(kind, name, number, document, _outline(outline), blob),
                    tuple([_problem(facts) for facts in problems]) if problems else (),
                    judged_by,
                    tuple([_problem(facts) for facts in findings]) if findings else () if findings is not None else None,
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
            outline = outline_of(orjson.loads(json), known.references if known is not None else ())
            definition = Definition(kind, name_, number, yaml.StoredDocument(path, self._stored, name), outline, blob)
            found = tuple(_problem(facts) for facts in findings) if findings is not None else None
            self._kept[path, blob] = Kept(definition, tuple(_problem(facts) for facts in problems), judged_by, found)

    # Histories

    def head_before(self, repository: Repository, commit: str, about: str) -> str | None:
        """The newest commit up to which history is known and that `commit` holds; `about` tells apart what it depends on."""
        heads = self._known_heads(about)
        return commit if commit in heads else next((known for known in heads if repository.is_ancestor(known, commit)), None)

    def _known_heads(self, about: str) -> list[str]:
        inside = [key.removeprefix(f"{about}\n") for key in self._histories if key.startswith(f"{about}\n")]
        listed = self.cache.get("histories", f"{about}\nheads") if self.cache is not None else None
        stored = orjson.loads(listed) if listed is not None else []
        return list(dict.fromkeys([*reversed(inside), *stored]))

    def history(self, commit: str, about: str) -> History | None:
        """The history up to just this commit, if it is known."""
        tracer = self.tracer(commit, about)
        return tracer.history if tracer is not None else None

    def tracer(self, commit: str, about: str) -> Tracer | None:
        """What has followed all commits up to one, if that is known."""
        key = f"{about}\n{commit}"
        found = self._histories.get(key)
        if found is None and self.cache is not None:
            stored = self.cache.get("histories", key)
            found = Tracer.loaded(stored) if stored is not None else None
            if found is not None:
                self._histories[key] = found
        return found

    def learn_history(self, commit: str, about: str, tracer: Tracer | bytes) -> None:
        """Remember what has followed all commits up to one: the tracer, or what it stored."""
        key = f"{about}\n{commit}"
        stored = tracer if isinstance(tracer, bytes) else tracer.stored()
        if self.cache is not None:
            heads = [commit, *(one for one in self._known_heads(about) if one != commit)]
            gone = [f"{about}\n{one}" for one in heads[_HISTORIES:]]
            self.cache.keep({"histories": [(key, stored), (f"{about}\nheads", orjson.dumps(heads[:_HISTORIES]))]}, {"histories": gone})
        # In the same form as from the cache, so that what is made from it has the same keys in the next run.
        self._histories = {key: Tracer.loaded(stored)}

    # Between runs

    def save(self, definitions: Sequence[Definition]) -> None:
        """Keep what is new in the cache; others than the `definitions` that there are now need not stay in memory."""
        new = {_piece(path) for path, _ in self._new}
        if self.cache is not None and (new or self._new_files):
            rows = [(f"{path}\n{blob}", _packed(kept)) for (path, blob) in self._unstored if (kept := self._kept.get((path, blob))) is not None]
            self.cache.keep({"definitions": rows, "outlines": self._outlines(definitions, new), "files": self._pieces_of_files()})
        self._new.clear()
        self._unstored.clear()
        self._new_files.clear()
        if len(self._kept) > 2 * len(definitions) + _SPARE:
            keys = {(one.path, one.blob) for one in definitions}
            self._kept = {key: kept for key, kept in self._kept.items() if key in keys}

    def _outlines(self, definitions: Iterable[Definition], new: Container[str]) -> list[tuple[str, bytes]]:
        """Those pieces of what is kept of all definitions in which something is new."""
        pieces: dict[str, list[list[Any]]] = {}
        for one in definitions:
            piece = _piece(one.path)
            kept = self._kept.get((one.path, one.blob)) if piece in new else None
            if kept is not None and kept.judged_by == self._judged_by:
                pieces.setdefault(piece, []).append(_outline_row(kept))
        return [(piece, orjson.dumps([self._judged_by, rows])) for piece, rows in pieces.items()]

    def _pieces_of_files(self) -> list[tuple[str, bytes]]:
        new = {_piece(path) for path in self._new_files}
        pieces: dict[str, dict[str, Any]] = {piece: {} for piece in new}
        if self._files is not None and new:
            for path in self._files_now:
                if path in self._files and (piece := _piece(path)) in new:
                    pieces[piece][path] = self._files[path]
        return [(piece, orjson.dumps(files)) for piece, files in pieces.items()]


def _piece(path: str) -> str:
    return str(zlib.crc32(path.encode("utf-8", "surrogateescape")) % _PIECES)


class _Stored:
    """Documents in the cache, by path and blob id."""

    def __init__(self, cache: Cache, contents: Contents) -> None:
        self._cache = cache
        self._contents = contents

    def get(self, key: str) -> tuple[bytes, bytes]:
        value = self._cache.get("definitions", key)
        if value is not None:
            _, json, raw = value.split(b"\n", 2)
            return json, raw
        # Another program, or a person, emptied the cache since we looked.
        path, _, blob = key.rpartition("\n")
        found = self._contents.raw(blob)
        if found is None:
            raise UsageError(f"{path} was read before, and is not in the cache any more", "somebody emptied the cache: run it again")
        return orjson.dumps(yaml.read_data(found)), found


def _packed(kept: Kept) -> bytes:
    """A definition as bytes: what was found, its data as JSON, the file's own bytes."""
    one = kept.definition
    findings = [_problem_facts(problem) for problem in kept.findings] if kept.findings is not None else None
    head = [one.kind, one.name, one.id, kept.judged_by, [_problem_facts(problem) for problem in kept.problems], findings]
    return b"\n".join((orjson.dumps(head), orjson.dumps(one.data), one.raw))


def _outline_row(kept: Kept) -> list[Any]:
    one = kept.definition
    findings = [_problem_facts(problem) for problem in kept.findings] if kept.findings is not None else None
    return [one.path, one.blob, one.kind, one.name, one.id, tuple(one.outline), [_problem_facts(problem) for problem in kept.problems], findings]


def _outline(facts: list[Any]) -> Outline:
    title, description, lifecycle, process_type, application, tags, references, replaced_by, samples, is_excepting = facts
    return Outline(
        title, description, lifecycle, process_type, application, tuple(tags), tuple(references), replaced_by, tuple(samples), is_excepting
    )


def _problem_facts(problem: Problem) -> list[Any]:
    return [problem.rule, problem.severity.value, list(problem.span), problem.message, problem.hint, problem.pointer]


def _problem(facts: list[Any]) -> Problem:
    rule, severity, span, message, hint, pointer = facts
    return Problem(rule, Severity(severity), Span(*span), message, hint, pointer)
