"""What was read before, by content: definitions with their findings, revisions, histories. In this process and, with a cache, between runs.

All of it can be had again from the source; a memory that knows nothing gives the same, later.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from registry import yaml
from registry.cache import Cache
from registry.errors import Problem, Severity, Span
from registry.git import LogCommit, Repository
from registry.history import History, Tracer, extends
from registry.loader import Definition, id_of, load_documents
from registry.source import Commit, FileFacts, Source, WorkTree

_HISTORIES = 3
_BATCH = 2_000


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
        self.documents = Documents(cache)
        self._kept: dict[tuple[str, str], Kept] = {}
        self._facts: dict[str, tuple[FileFacts, str]] | None = None
        self._facts_now: dict[str, FileFacts] = {}
        self._new: set[tuple[str, str]] = set()
        self._new_facts: dict[str, tuple[FileFacts, str]] = {}
        self._judged_by = ""
        self._histories: dict[str, Tracer] = {}
        self._history: tuple[str, History] | None = None
        self.answers: dict[str, bytes] = {}

    # Definitions

    def judge_by(self, digest: str) -> None:
        """Findings are believed only where the same schemas and settings judged."""
        self._judged_by = digest

    def recall(self, source: Source, paths: Sequence[str]) -> dict[str, tuple[Definition, tuple[Problem, ...]]]:
        """The definitions at these paths that are as they were, and what reading them found."""
        blobs = self._blobs(source, paths)
        keys = {path: (path, blob) for path, blob in blobs.items()}
        self._fetch([key for key in keys.values() if key not in self._kept])
        return {path: (kept.definition, kept.problems) for path, key in keys.items() if (kept := self._kept.get(key)) is not None}

    def learn(self, definition: Definition, problems: tuple[Problem, ...]) -> None:
        """A definition that was just read."""
        key = (definition.path, definition.blob)
        self._kept[key] = Kept(definition, problems, "", None)
        self._new.add(key)
        facts = self._facts_now.get(definition.path)
        if facts is not None and facts.is_settled:
            self._new_facts[definition.path] = (facts, definition.blob)
            if self._facts is not None:
                self._facts[definition.path] = (facts, definition.blob)

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

    def _blobs(self, source: Source, paths: Sequence[str]) -> dict[str, str]:
        """The blob id of each path that can be known without reading."""
        if isinstance(source, Commit):
            return {path: blob for path in paths if (blob := source.blob_of(path)) is not None}
        if not isinstance(source, WorkTree):
            return {}
        if self._facts is None:
            self._facts = self._stored_facts()
        now = time.time_ns()
        self._facts_now = {path: facts for path in paths if (facts := source.facts_of(path, now)) is not None}
        found = {}
        for path, facts in self._facts_now.items():
            known = self._facts.get(path)
            if known is not None and known[0].same_as(facts):
                found[path] = known[1]
        return found

    def _stored_facts(self) -> dict[str, tuple[FileFacts, str]]:
        stored = self.cache.all_of("files") if self.cache is not None else {}
        rows = ((path, orjson.loads(text)) for path, text in stored.items())
        return {path: (FileFacts(size, mtime, ctime, inode, True), blob) for path, (size, mtime, ctime, inode, blob) in rows}

    def _fetch(self, keys: list[tuple[str, str]]) -> None:
        """Bring definitions from the cache."""
        if self.cache is None or not keys:
            return
        names = {f"{path}\n{blob}": (path, blob) for path, blob in keys}
        rows = self.cache.all_of("definitions").items() if len(keys) > _BATCH else self.cache.get_many("definitions", list(names))
        for name, value in rows:
            key = names.get(name)
            if key is not None:
                self._kept[key] = _unpacked(*key, value)

    # Revisions

    def read_documents(
        self, repository: Repository, blobs: Sequence[str], fields: Sequence[tuple[str, ...]], tell: Callable[[int, int], None]
    ) -> None:
        """See that the contents of all these blobs are known."""
        missing = self.documents.missing(blobs)
        for done, (blob, document) in enumerate(load_documents(repository.read_blobs(missing), len(missing), fields)):
            if done % 500 == 0:
                tell(done, len(missing))
            self.documents.add(blob, document)
        self.documents.save()

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
        key = f"{about}\n{commit}"
        if self._history is None or self._history[0] != key:
            tracer = self._tracer(key)
            if tracer is None:
                return None
            self._history = (key, tracer.history())
        return self._history[1]

    def _tracer(self, key: str) -> Tracer | None:
        found = self._histories.get(key)
        if found is None and self.cache is not None:
            stored = self.cache.get("histories", key)
            found = Tracer.loaded(orjson.loads(stored), self.documents.id_of) if stored is not None else None
            if found is not None:
                self._histories[key] = found
        return found

    def extend(self, since: str, commit: str, about: str, newest_first: Sequence[LogCommit]) -> bool:
        """Go on from a known commit; False where the new commits do not all come after the known ones, or nothing is known."""
        tracer = self._tracer(f"{about}\n{since}")
        if tracer is None or not extends(newest_first, since, commit):
            return False
        # From here on it is the history of the new commit; the old one is still in the cache.
        self._histories.pop(f"{about}\n{since}", None)
        for one in reversed(newest_first):
            tracer.take(one)
        self._note(tracer, commit, about)
        return True

    def begin(self, commit: str, about: str, prefix: str, newest_first: Iterable[LogCommit]) -> None:
        """Learn a whole history."""
        tracer = Tracer(prefix, self.documents.id_of)
        for one in reversed(list(newest_first)):
            tracer.take(one)
        self._note(tracer, commit, about)

    def _note(self, tracer: Tracer, commit: str, about: str) -> None:
        key = f"{about}\n{commit}"
        self._histories = {key: tracer}
        if self.cache is not None:
            heads = [commit, *(one for one in self._known_heads(about) if one != commit)]
            gone = [f"{about}\n{one}" for one in heads[_HISTORIES:]]
            rows = [(key, orjson.dumps(tracer.stored())), (f"{about}\nheads", orjson.dumps(heads[:_HISTORIES]))]
            self.cache.keep({"histories": rows}, {"histories": gone})

    # Between runs

    def save(self, definitions: Iterable[Definition]) -> None:
        """Keep what is new in the cache; others than the `definitions` that there are now need not stay in memory."""
        there = {(one.path, one.blob) for one in definitions}
        if self.cache is not None and (self._new or self._new_facts):
            rows = [(f"{key[0]}\n{key[1]}", _packed(self._kept[key])) for key in self._new if key in self._kept]
            files = [(path, orjson.dumps([*facts[:4], blob])) for path, (facts, blob) in self._new_facts.items()]
            self.cache.keep({"definitions": rows, "files": files})
        self._new.clear()
        self._new_facts.clear()
        if len(self._kept) > 2 * len(there) + 1000:
            self._kept = {key: kept for key, kept in self._kept.items() if key in there}
        if len(self.answers) > 2 * len(there) + 1000:
            self.answers.clear()


class Documents(Mapping[str, bytes | None]):
    """The contents of revisions as JSON, by blob id; None for what cannot be read. From the cache where there is one."""

    def __init__(self, cache: Cache | None) -> None:
        """Held here only where there is no cache to hold them: a long history need not fit."""
        self._cache = cache
        self._held: dict[str, bytes | None] = {}
        self._put: dict[str, bytes] = {}
        self._put_before: dict[str, bytes] = {}
        self._ids: dict[str, int | None] = {}
        self._new: list[tuple[str, bytes]] = []
        self._about = ""
        self._repository: Repository | None = None
        self._fields: tuple[tuple[str, ...], ...] = ()

    def read_from(self, repository: Repository, fields: Sequence[tuple[str, ...]]) -> None:
        """Where to read what is not known, and below which fields credentials are hidden: other fields, other contents."""
        self._repository, self._fields = repository, tuple(fields)
        about = orjson.dumps(fields).decode()
        if about != self._about:
            self.save()
            self._held.clear()
            self._about = about

    def missing(self, blobs: Sequence[str]) -> list[str]:
        """Those of which nothing is known."""
        unknown = [blob for blob in blobs if blob not in self._held]
        if self._cache is None or not unknown:
            return unknown
        there = {key.rpartition("\n")[2] for key in self._cache.keys("documents", [self._key(blob) for blob in unknown])}
        return [blob for blob in unknown if blob not in there]

    def _key(self, blob: str) -> str:
        return f"{self._about}\n{blob}"

    def add(self, blob: str, document: bytes | None) -> None:
        """A content that was just read."""
        self._ids[blob] = _id_in(document)
        if self._cache is None:
            self._held[blob] = document
            return
        self._new.append((self._key(blob), document or b""))
        if len(self._new) >= _BATCH:
            self.save()

    def save(self) -> None:
        """Hand what is new to the cache; where it takes nothing, hold it."""
        if self._new and self._cache is not None:
            if not self._cache.keep({"documents": self._new}):
                self._held.update((key.rpartition("\n")[2], document or None) for key, document in self._new)
            self._new = []

    def put_anew(self) -> None:
        """What is in no commit is going to be put again; what was put before stays until the next time: it may be being shown."""
        self._put_before, self._put = self._put, {}

    def put(self, blob: str, document: bytes) -> None:
        """A content that is in no commit."""
        self._put[blob] = document

    def id_of(self, blob: str) -> int | None:
        """The id that a revision's file carries."""
        if blob not in self._ids:
            self._ids[blob] = _id_in(self.get(blob))
        return self._ids[blob]

    def __getitem__(self, blob: str) -> bytes | None:
        for held in (self._put, self._put_before, self._held):
            if blob in held:
                return held[blob]
        found = self._cache.get("documents", self._key(blob)) if self._cache is not None else None
        if found is not None:
            return found or None
        if self._repository is None:
            raise KeyError(blob)
        # Somebody removed the cache since we looked.
        ((_, document),) = load_documents(self._repository.read_blobs([blob]), 1, self._fields)
        self._held[blob] = document
        return document

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


def _id_in(document: bytes | None) -> int | None:
    return id_of(orjson.loads(document)) if document is not None and b'"id":' in document else None


def _packed(kept: Kept) -> bytes:
    """A definition as bytes: what was found, its data as JSON, the file's own bytes."""
    one = kept.definition
    findings = [_problem_facts(problem) for problem in kept.findings] if kept.findings is not None else None
    head = [one.kind, one.name, one.id, kept.judged_by, [_problem_facts(problem) for problem in kept.problems], findings]
    data = one.document.json if isinstance(one.document, yaml.StoredDocument) else orjson.dumps(one.data)
    return b"\n".join((orjson.dumps(head), data, one.raw))


def _unpacked(path: str, blob: str, value: bytes) -> Kept:
    head, data, raw = value.split(b"\n", 2)
    kind, name, number, judged_by, problems, findings = orjson.loads(head)
    definition = Definition(kind, name, number, yaml.StoredDocument(path, data, raw), raw, blob)
    found = tuple(_problem(facts) for facts in findings) if findings is not None else None
    return Kept(definition, tuple(_problem(facts) for facts in problems), judged_by, found)


def _problem_facts(problem: Problem) -> list[Any]:
    return [problem.rule, problem.severity.value, list(problem.span), problem.message, problem.hint, problem.pointer]


def _problem(facts: list[Any]) -> Problem:
    rule, severity, span, message, hint, pointer = facts
    return Problem(rule, Severity(severity), Span(*span), message, hint, pointer)
