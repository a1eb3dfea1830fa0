"""A push to a bare repository, judged before its branch moves: for teams without a forge."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from registry.build import check_source
from registry.changes import Comparison
from registry.comparison import compare_sources
from registry.edit import replace_file
from registry.errors import Problem, RefusedError, UsageError, has_errors
from registry.git import Repository, open_repository
from registry.ids import parse_ledger, verify
from registry.loader import LEDGER_PATH
from registry.review import Review, review_as_it_is
from registry.settings import SETTINGS_PATH, parse_settings
from registry.source import MAX_LEDGER_BYTES, Commit

_HEADS = "refs/heads/"
# What a change must not do, and what `registry index` does on the main branch: there the ledger tells whether it is right.
_DONE_BY_INDEX = frozenset({"I030", "I031", "I032", "I033", "I034"})


class Update(NamedTuple):
    """One ref that a push moves, as git tells a hook: zeros stand for "not there"."""

    old: str
    new: str
    ref: str

    @property
    def creates(self) -> bool:
        """True when there was no such ref."""
        return not self.old.strip("0")

    @property
    def deletes(self) -> bool:
        """True when there will be no such ref."""
        return not self.new.strip("0")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with one update, and what it means; `refused` says in words why it cannot be taken at all."""

    update: Update
    review: Review | None = None
    comparison: Comparison | None = None
    refused: str = ""


def parse_updates(lines: Iterable[str]) -> Iterator[Update]:
    """The lines that git gives to `pre-receive`: old, new, ref."""
    for line in lines:
        parts = line.rstrip("\n").split(" ", 2)
        if len(parts) != 3:
            raise UsageError(f"{line!r} is no line that git gives to a hook", "this command is for hooks: `registry hook install` sets one up")
        yield Update(*parts)


def judge(root: Path, updates: Iterable[Update], branches: Sequence[str] = ()) -> list[Verdict]:
    """Judge the updates of the protected branches (left out: the one that HEAD names); others pass unseen."""
    repository = open_repository(root, in_hook=True)
    if repository is None:
        raise UsageError(f"{root} is no git repository", "hooks run in the repository that is pushed to")
    guarded = {_HEADS + name for name in branches or [repository.branch() or "main"]}
    return [_judge(root, repository, update) for update in updates if update.ref in guarded]


def _judge(root: Path, repository: Repository, update: Update) -> Verdict:
    if update.deletes:
        return Verdict(update, refused=f"{update.ref.removeprefix(_HEADS)} holds the ids and cannot be deleted by a push")
    source = Commit(root, repository, update.new)
    if update.creates:
        checked = check_source(source)
        return Verdict(update, Review(checked.problems, source, len(checked.loaded.definitions)))
    base = Commit(root, repository, update.old)
    review = review_as_it_is(source, base)
    if _only_adds_to_the_ledger(base, source):
        others = [problem for problem in review.problems if problem.rule not in _DONE_BY_INDEX]
        review = replace(review, problems=tuple(sorted((*others, *_ids(source)), key=lambda problem: problem.sort_key)))
    # Without what the files say there is nothing to compare; that is said by the problems.
    is_readable = not any(problem.rule.startswith(("Y", "K")) for problem in review.problems if has_errors([problem]))
    return Verdict(update, review, compare_sources(base, source) if is_readable else None)


def _only_adds_to_the_ledger(base: Commit, source: Commit) -> bool:
    before, after = (one.read(LEDGER_PATH, at_most=MAX_LEDGER_BYTES) or b"" for one in (base, source))
    return before != after and after.startswith(before)


def _ids(source: Commit) -> Iterator[Problem]:
    """Whether ledger and files tell the same story: then it does not matter who wrote it."""
    settings, _ = parse_settings(source.read(SETTINGS_PATH))
    ledger, problems = parse_ledger(source.read(LEDGER_PATH, at_most=MAX_LEDGER_BYTES), settings.registry_id)
    yield from problems
    yield from (problem for problem in verify(check_source(source).loaded.definitions, ledger) if problem.rule != "I010")


def install(repository: Path, kind: str = "pre-receive") -> Path:
    """Write the hook into a bare repository. Raises RefusedError where another one is."""
    found = open_repository(repository)
    if found is None or not found.is_bare:
        raise UsageError(f"{repository} is no bare repository", "name the one that people push to: `registry hook install REPOSITORY.git`")
    path = repository / "hooks" / kind
    arguments = '"$@"' if kind == "update" else ""
    text = f"#!/bin/sh\n# Refuses a push that would break the registry.\nexec {quote(sys.executable)} -m registry hook {kind} {arguments}\n"
    if path.exists() and path.read_text(encoding="utf-8", errors="replace") != text:
        raise RefusedError(f"{path} is there already", f"call `registry hook {kind}` in it, or remove it")
    path.parent.mkdir(exist_ok=True)
    replace_file(path, text.encode())
    os.chmod(path, 0o755)  # noqa: PTH101 - beside the write
    return path
