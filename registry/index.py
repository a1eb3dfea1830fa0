"""Gives ids on the main branch: one text line into each new file, lines appended to the ledger, one commit."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from registry.build import Checked, check_source
from registry.edit import replace_file
from registry.errors import ProblemsError, RefusedError, UsageError, has_errors
from registry.git import Repository
from registry.ids import Assignment, Ledger, LedgerEntry, insert_id, parse_ledger, plan
from registry.loader import DEFINITIONS_FOLDER, LEDGER_PATH
from registry.settings import SETTINGS_PATH, source_date_epoch
from registry.source import READ_LARGE, WorkTree


@dataclass(frozen=True, slots=True)
class IndexResult:
    """What was given and noted; `commit` is the new commit, or None when there was nothing to do or none was wanted."""

    assignments: tuple[Assignment, ...]
    entries: tuple[LedgerEntry, ...]
    commit: str | None


def index(source: WorkTree, *, make_commit: bool = True) -> IndexResult:
    """Give every definition without an id the next one of its kind, and note what moved, went and came back.

    Raises ProblemsError when the definitions have errors (nothing is written then), RefusedError when uncommitted work
    would get into the commit or the ledger is broken.
    """
    repository = _repository_to_commit_to(source) if make_commit else source.repository
    checked = check_source(source)
    if has_errors(checked.problems):
        raise ProblemsError(checked.problems, source.read, "nothing was indexed: the definitions have errors")
    registry_id = checked.settings.registry_id or str(uuid.uuid4())
    ledger = _ledger(source, registry_id)
    base = repository.head() if repository else None
    planned = plan(checked.loaded.definitions, ledger, base)
    if planned.problems:
        raise ProblemsError(planned.problems, source.read, "nothing was indexed: there are ids that were never given")
    if not planned.entries:
        return IndexResult((), (), None)
    try:
        files = {assigned.definition.path: insert_id(assigned.definition, assigned.id) for assigned in planned.assignments}
    except ValueError as error:
        raise UsageError(str(error), "write the file in block style: one key a line") from error
    lines = "".join(f"{entry.line()}\n" for entry in planned.entries)
    files[LEDGER_PATH] = (source.read(LEDGER_PATH, at_most=READ_LARGE) or b"") + lines.encode()
    if not checked.settings.registry_id:
        files[SETTINGS_PATH] = _with_registry_id(source.read(SETTINGS_PATH), registry_id)
    before = {path: source.read(path, at_most=READ_LARGE) for path in files}
    try:
        for path, data in files.items():
            replace_file(source.root / path, data)
        commit = _commit(source, repository, checked, files, planned.entries, base) if make_commit and repository else None
    except BaseException:
        _put_back(source.root, before)
        raise
    return IndexResult(planned.assignments, planned.entries, commit)


def _repository_to_commit_to(source: WorkTree) -> Repository:
    repository = source.repository
    if repository is None:
        raise UsageError(f"{source.root} is not in a git repository, so there is nowhere to commit to", "git init, or use --no-commit")
    if repository.head() is None:
        raise UsageError("nothing was committed yet", "git add . && git commit, then run it again; or use --no-commit")
    prefix = repository.prefix_of(source.root)
    changed = repository.changed_paths(f"{prefix}{DEFINITIONS_FOLDER}") | repository.changed_paths(f"{prefix}{SETTINGS_PATH}")
    if changed:
        paths = sorted(changed)
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        raise RefusedError(f"{paths[0]}{more} would get into the commit with changes that nobody committed",
                           "commit or stash them first, or use --no-commit")  # fmt: skip
    return repository


def _ledger(source: WorkTree, registry_id: str) -> Ledger:
    ledger, problems = parse_ledger(source.read(LEDGER_PATH, at_most=READ_LARGE), registry_id)
    if problems:
        first = problems[0]
        raise RefusedError(f"{first.span.path}:{first.span.line}: {first.message}", first.hint)
    return ledger


def _with_registry_id(data: bytes | None, registry_id: str) -> bytes:
    text = data or b""
    if text and not text.endswith(b"\n"):
        text += b"\n"
    return text + f"registry_id: {registry_id}\n".encode()


def _commit(
    source: WorkTree,
    repository: Repository,
    checked: Checked,
    files: Mapping[str, bytes],
    entries: tuple[LedgerEntry, ...],
    base: str | None,
) -> str:
    prefix = repository.prefix_of(source.root)
    settings = checked.settings
    message = f"{_subject(entries)}\n\n{_details(entries)}\n\nRegistry-Index: {base}\n"
    author = (settings.bot_name, settings.bot_email)
    return repository.commit_paths([f"{prefix}{path}" for path in files], message, author, source_date_epoch())


def _subject(entries: tuple[LedgerEntry, ...]) -> str:
    given = [entry for entry in entries if entry.state == "live"]
    noted = len(entries) - len(given)
    words = f"Give {'an id' if len(given) == 1 else 'ids'} to {given[0].name if len(given) == 1 else f'{len(given)} definitions'}" if given else ""
    if noted:
        words += f"{', note' if words else 'Note'} {noted} moved or deleted"
    return words


def _details(entries: tuple[LedgerEntry, ...]) -> str:
    lines = [f"{entry.kind} {entry.id} {entry.state}: {entry.name}" for entry in entries[:100]]
    return "\n".join([*lines, *([f"and {len(entries) - 100} more"] if len(entries) > 100 else [])])


def _put_back(root: Path, before: Mapping[str, bytes | None]) -> None:
    for path, data in before.items():
        if data is None:
            (root / path).unlink(missing_ok=True)
        else:
            replace_file(root / path, data)
