"""What was read before, by content: definitions with their findings, histories. In this process and, with a cache, between runs.

All of it can be had again from the source; a memory that knows nothing gives the same, later.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from registry import yaml
from registry.cache import Cache
from registry.contents import Contents
from registry.errors import Problem, Severity, Span
from registry.git import Repository
from registry.history import History, Tracer
from registry.loader import Definition
from registry.source import Commit, FileFacts, Source, WorkTree

_HISTORIES = 3
_BATCH = 2_000
# So many more than there are now may be held before they are let go.
_SPARE = 100


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
        self._facts: dict[str, tuple[FileFacts, str]] | None = None
        self._facts_now: dict[str, FileFacts] = {}
        self._new: set[tuple[str, str]] = set()
        self._new_facts: dict[str, tuple[FileFacts, str]] = {}
        self._judged_by = ""
        self._histories: dict[str, Tracer] = {}
        self.answers = Answers(cache)

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

    def save(self, definitions: Iterable[Definition]) -> None:
        """Keep what is new in the cache; others than the `definitions` that there are now need not stay in memory."""
        there = {(one.path, one.blob): one for one in definitions}
        self._kept |= {key: self._kept[key]._replace(definition=one) for key, one in there.items() if key in self._new}
        if self.cache is not None and (self._new or self._new_facts):
            rows = [(f"{key[0]}\n{key[1]}", _packed(self._kept[key])) for key in self._new if key in self._kept]
            files = [(path, orjson.dumps([*facts[:4], blob])) for path, (facts, blob) in self._new_facts.items()]
            self.cache.keep({"definitions": rows, "files": files})
        self._new.clear()
        self._new_facts.clear()
        if len(self._kept) > 2 * len(there) + _SPARE:
            self._kept = {key: kept for key, kept in self._kept.items() if key in there}
        self.answers.hold_at_most(2 * len(there) + _SPARE)


class Answers:
    """Bodies of answers by the key of their definition; between runs, in the cache."""

    def __init__(self, cache: Cache | None) -> None:
        """Those in the cache are brought by `fetch`."""
        self._cache = cache
        self._held: dict[str, bytes] = {}
        self._new: dict[str, bytes] = {}
        self._most = _SPARE

    def get(self, key: str) -> bytes | None:
        """The body, or None."""
        return self._held.get(key) or self._new.get(key)

    def put(self, key: str, body: bytes) -> None:
        """One that was just made."""
        self._new[key] = body

    def fetch(self) -> None:
        """Bring what is kept: before all are asked for."""
        if not self._held and self._cache is not None:
            self._held = self._cache.all_of("answers")

    def hold_at_most(self, count: int) -> None:
        """Let go of all where there are more."""
        self._most = count
        if len(self._held) + len(self._new) > count:
            self._held, self._new = {}, {}

    def save(self) -> None:
        """Keep what is new in the cache, in place of the rest where that is too much."""
        if self._cache is not None and self._new:
            gone = list(self._held) if len(self._held) + len(self._new) > self._most else []
            self._cache.keep({"answers": self._new.items()}, {"answers": gone})
        self._held |= self._new
        self._new = {}


def _packed(kept: Kept) -> bytes:
    """A definition as bytes: what was found, its data as JSON, the file's own bytes."""
    one = kept.definition
    findings = [_problem_facts(problem) for problem in kept.findings] if kept.findings is not None else None
    head = [one.kind, one.name, one.id, kept.judged_by, [_problem_facts(problem) for problem in kept.problems], findings]
    stored = one.document.json if isinstance(one.document, yaml.StoredDocument) else b""
    data = stored or orjson.dumps(one.data)
    return b"\n".join((orjson.dumps(head), data, one.raw))


def _unpacked(path: str, blob: str, value: bytes) -> Kept:
    head, data, raw = value.split(b"\n", 2)
    kind, name, number, judged_by, problems, findings = orjson.loads(head)
    definition = Definition(kind, name, number, yaml.StoredDocument(path, raw, json=data), raw, blob)
    found = tuple(_problem(facts) for facts in findings) if findings is not None else None
    return Kept(definition, tuple(_problem(facts) for facts in problems), judged_by, found)


def _problem_facts(problem: Problem) -> list[Any]:
    return [problem.rule, problem.severity.value, list(problem.span), problem.message, problem.hint, problem.pointer]


def _problem(facts: list[Any]) -> Problem:
    rule, severity, span, message, hint, pointer = facts
    return Problem(rule, Severity(severity), Span(*span), message, hint, pointer)
