"""Decide what one request changes, or why it is rejected; pure except for reading old contents."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.changes import Changed, Level, Side, compare, failing
from registry.check import check_definition
from registry.ids import insert_id
from registry.load import yaml
from registry.load.kinds import modeline
from registry.load.loader import parse_definition
from registry.load.source import blob_id
from registry.load.yaml.edit import EditedText, UnwritableError, edit_text
from registry.load.yaml.writer import to_yaml
from registry.model.definition import definition_path
from registry.model.diff import same
from registry.model.problem import Severity
from registry.render.json_api import detail_answer_at
from registry.writes.batch import Batch, WriteStep
from registry.writes.conditions import EntityTag, tag_of
from registry.writes.document import intended_document, merged_edits, new_document
from registry.writes.names import name_for
from registry.writes.rejection import RejectedError, rejected_by_rules
from registry.writes.requests import Operation, WriteRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from registry.load.kinds import Kind
    from registry.model.definition import Definition
    from registry.writes.state import RegistryState
    from registry.writes.users import Right


class Unchanged(NamedTuple):
    """A request that is fulfilled without a change."""

    request: WriteRequest
    id: int


def plan_write(batch: Batch, request: WriteRequest) -> WriteStep | Unchanged:
    """Return the step that carries out a request on top of a batch.

    Raises RejectedError (`rejected_by_rules` for findings of the checker) with the answer for a request that
    is not carried out. Raises GitError when an old content cannot be read.
    """
    kind = batch.kinds.by_name.get(request.kind)
    if kind is None:
        raise RejectedError(404, "there is nothing at this address")
    if request.operation is Operation.ADD:
        return _add(batch, kind, request)
    assert request.id is not None
    if request.operation is Operation.RESTORE:
        return _restore(batch, kind, request, request.id)
    current = batch.definition(kind.name, request.id)
    if current is None:
        raise _not_there(batch, kind, request.id)
    _require(request, "write", current.name)
    if request.operation is Operation.DELETE:
        return _delete(batch, request, current)
    return _change(batch, kind, request, current)


def fits_schema(state: RegistryState, request: WriteRequest) -> bool:
    """Return False if the document of a request does not fit the schema of its kind, so that it is refused.

    Finding every reason can take a second, and `plan_write` on a batch of its own does that outside of the
    thread that commits: no old content is read then. Safe to call from any thread.
    """
    kind = state.snapshot.kinds.by_name.get(request.kind)
    if kind is None or request.idempotency_key or request.operation in (Operation.DELETE, Operation.RESTORE):
        return True
    if request.id is None:
        # Any valid id: the next one is known only to the thread that commits.
        return bool(kind.validator.is_valid(new_document(request.body, 1, ())))
    current = state.definition(kind.name, request.id)
    if current is None:
        return True
    if request.is_conditional and not request.matches_any and not is_current(Batch(state), request, current):
        return True  # an earlier content decides
    document = intended_document(request.operation, current.data, request.body)
    return bool(kind.validator.is_valid(document))


def _not_there(batch: Batch, kind: Kind, number: int) -> RejectedError:
    title = kind.title.lower()
    if batch.is_deleted(kind.name, number):
        return RejectedError(410, f"the {title} {number} was deleted; POST to its restore/ brings it back")
    return RejectedError(404, f"there is no {title} {number}")


def _require(request: WriteRequest, right: Right, name: str) -> None:
    """Raise RejectedError with status 403 when the user may not change this name."""
    refusal = request.refusal(right, name)
    if refusal:
        raise RejectedError(403, refusal)


# Adding and restoring


def _add(batch: Batch, kind: Kind, request: WriteRequest) -> WriteStep:
    _require_definition(request.body)
    number = batch.next_id(kind.name)
    document = new_document(request.body, number, kind.schema.get("properties", {}))
    given = request.body.get("name")
    name = given if isinstance(given, str) else name_for(kind, document, number)
    _refuse_no_path(name)
    _require(request, "write", name)
    _refuse_taken(batch, kind, name)
    path = definition_path(kind.name, name)
    text = f"{modeline(path, kind.name)}\n{to_yaml(document)}".encode("utf-8", "surrogatepass")
    after = _checked(batch, kind, name, text, document)
    return WriteStep(
        request, number, None, after, {path: text}, (kind.name, number, name, "live"), f"Add {name}", 1
    )


def _require_definition(body: Mapping[str, Any]) -> None:
    if "definition" not in body:
        raise RejectedError(
            422, "`definition` is missing", _finding("/definition", "`definition` is missing")
        )
    if not isinstance(body["definition"], dict):
        message = "`definition` is not an object"
        raise RejectedError(422, message, _finding("/definition", message))


def _finding(pointer: str, message: str) -> dict[str, Any]:
    return {"problems": [{"rule": "S001", "pointer": pointer, "message": message, "hint": ""}]}


def _refuse_no_path(name: str) -> None:
    """Raise RejectedError for a name that is no path of a file; the checker reports all other mistakes."""
    if any(part in ("", ".", "..") or "\0" in part for part in name.split("/")):
        message = "the name has an empty part, or one that is `.` or `..`"
        raise RejectedError(422, message, _finding("/name", message))


def _refuse_taken(batch: Batch, kind: Kind, name: str) -> None:
    owner = batch.owner_of(kind.name, name)
    if owner is not None:
        how = "" if owner == name else f" by `{owner}`, which differs only in case or Unicode form"
        raise RejectedError(409, f"the name `{name}` is taken{how}")


def _restore(batch: Batch, kind: Kind, request: WriteRequest, number: int) -> WriteStep:
    if batch.definition(kind.name, number) is not None:
        raise RejectedError(409, f"the {kind.title.lower()} {number} is not deleted")
    if not batch.is_deleted(kind.name, number):
        raise _not_there(batch, kind, number)
    name, text = _deleted_file(batch, kind, request, number)
    path = definition_path(kind.name, name)
    found, problems = parse_definition(path, kind, name, text)
    if found is None:
        raise rejected_by_rules(problems)
    # The file was deleted before `registry index` wrote its id; the ledger has it.
    if found.id is None:
        text = insert_id(found, number)
    after = _checked(batch, kind, name, text, None)
    event = (kind.name, number, name, "live")
    count = batch.revision_count(kind.name, number)
    return WriteStep(request, number, None, after, {path: text}, event, f"Restore {name}", count + 1)


def _deleted_file(batch: Batch, kind: Kind, request: WriteRequest, number: int) -> tuple[str, bytes]:
    """Return the name of a deleted definition and its last content. Raises RejectedError."""
    before = batch.deleted_here(kind.name, number)
    tombstone = batch.tombstone(kind.name, number) if before is None else None
    there = before or tombstone
    assert there is not None
    _require(request, "write", there.name)
    _refuse_taken(batch, kind, there.name)
    if before is not None:
        return before.name, before.raw
    assert tombstone is not None
    last = tombstone.last_content
    blob = last.blob if last is not None and last.blob else tombstone.lost_blob
    if blob is None:
        raise RejectedError(409, "its last content is not available in this repository")
    return tombstone.name, batch.state.read_blob(blob)


# Changing and deleting


def _change(batch: Batch, kind: Kind, request: WriteRequest, current: Definition) -> WriteStep | Unchanged:
    number = current.id
    assert number is not None
    if request.operation is Operation.REPLACE:
        _require_definition(request.body)
    document, name = _wanted(batch, request, current)
    # A merge patch can remove `definition` or replace it by another type. The answer is the same as for a
    # missing one.
    if not isinstance(document.get("definition"), dict):
        _require_definition({key: value for key, value in document.items() if key == "definition"})
    if name == current.name and same(document, current.data) and batch.broken(current) is None:
        return Unchanged(request, number)
    if name != current.name:
        _refuse_move(batch, kind, request, current, name)
    text, is_rewritten = _edited(current, document)
    after = _checked(batch, kind, name, text, document)
    _judge(batch, request, current, after)
    is_moved = name != current.name
    files: dict[str, bytes | None] = {after.path: text}
    if is_moved:
        files[current.path] = None
    return WriteStep(
        request,
        number,
        current,
        after,
        files,
        (kind.name, number, name, "moved") if is_moved else None,
        f"Move {current.name} to {name}" if is_moved else f"Change {name}",
        batch.revision_count(kind.name, number) + 1,
        ("The file was rewritten: its layout did not allow a smaller edit.",) if is_rewritten else (),
    )


def _wanted(batch: Batch, request: WriteRequest, current: Definition) -> tuple[dict[str, Any], str]:
    """Return the document and the name that a request asks for, merged with edits that it has not seen."""
    operation, body = request.operation, request.body
    name = body.get("name", current.name)
    if not request.is_conditional or request.matches_any or is_current(batch, request, current):
        return intended_document(operation, current.data, body), name
    seen = _seen(batch, request, current)
    if seen is None:
        raise RejectedError(412, "the definition was changed: its entity tag is another one")
    document, old_name = seen
    # The name takes part in the merge like a field: two clients may move the definition to different places.
    before = {**document, "name": old_name}
    now = {**current.data, "name": current.name}
    requested = {**intended_document(operation, document, body), "name": body.get("name", old_name)}
    merged, conflicts = merged_edits(before, now, requested)
    if conflicts:
        fields = ", ".join(one.pointer for one in conflicts)
        raise RejectedError(
            412,
            f"another client changed the same fields: {fields}",
            {"conflicts": [one.body for one in conflicts]},
        )
    return merged, str(merged.pop("name"))


def is_current(batch: Batch, request: WriteRequest, current: Definition) -> bool:
    """True when a tag of `If-Match` is that of the definition now, without changes earlier in the batch."""
    committed = batch.state.definition(current.kind, current.id or 0)
    return committed is current and current_tag(batch, current) in request.tags


def current_tag(batch: Batch, current: Definition) -> EntityTag:
    """Return the tag of a committed definition."""
    snapshot = batch.state.snapshot
    newest = snapshot.revisions_of(current).newest
    answer = detail_answer_at(snapshot, current.kind, current.id, newest, current.name, current.data)
    return tag_of(newest.number if newest is not None else 0, answer)


def _seen(batch: Batch, request: WriteRequest, current: Definition) -> tuple[dict[str, Any], str] | None:
    """Return the document and the name that the client saw, or None if no tag names a known state."""
    snapshot, kind, number = batch.state.snapshot, current.kind, current.id or 0
    for tag in request.tags:
        revision = batch.revision(kind, number, tag.revision)
        if revision is None or revision.blob is None:
            continue
        document = yaml.read_data(batch.state.read_blob(revision.blob))
        if not isinstance(document, dict):
            continue
        answer = detail_answer_at(snapshot, kind, number, revision, revision.name, document)
        # The number alone does not suffice: after a rewritten history another content can have it.
        if tag_of(tag.revision, answer) == tag:
            return document, revision.name
    return None


def _refuse_move(batch: Batch, kind: Kind, request: WriteRequest, current: Definition, name: str) -> None:
    _refuse_no_path(name)
    _require(request, "write", name)
    owner = batch.owner_of(kind.name, name)
    if owner is not None and owner != current.name:
        _refuse_taken(batch, kind, name)
    if owner == current.name:
        raise RejectedError(409, f"the name `{name}` differs from `{owner}` only in case or Unicode form")
    _refuse_referenced(batch, current, "move")


def _refuse_referenced(batch: Batch, current: Definition, verb: str) -> None:
    others = [
        one
        for one in batch.referring((current.kind, current.name))
        if one.id != current.id or one.kind != current.kind
    ]
    if others:
        names = [f"{one.kind}/{one.name}" for one in others]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise RejectedError(
            409,
            f"`{current.name}` is still referenced by {', '.join(names[:3])}{more}: change these first, "
            f"then {verb} it",
            {"references": names},
        )


def _delete(batch: Batch, request: WriteRequest, current: Definition) -> WriteStep:
    number = current.id
    assert number is not None
    if request.is_conditional and not request.matches_any and not is_current(batch, request, current):
        raise RejectedError(412, "the definition was changed: its entity tag is another one")
    _refuse_referenced(batch, current, "delete")
    _judge(batch, request, current, None)
    return WriteStep(
        request,
        number,
        current,
        None,
        {current.path: None},
        (current.kind, number, current.name, "gone"),
        f"Delete {current.name}",
        batch.revision_count(current.kind, number) + 1,
    )


# The file and its checks


def _edited(current: Definition, document: dict[str, Any]) -> EditedText:
    """Return the text of a file with another content. Raises RejectedError for what no file can hold."""
    try:
        return edit_text(current.raw, document)
    except UnwritableError as error:
        raise rejected_by_rules([error.problem]) from error


def _checked(batch: Batch, kind: Kind, name: str, text: bytes, document: dict[str, Any] | None) -> Definition:
    """Return the definition in a new text.

    Raises RejectedError: 413 for a file that is too large, 422 with the errors that the checker finds.
    """
    if len(text) > yaml.MAX_BYTES:
        raise RejectedError(413, f"the file would have more than {yaml.MAX_BYTES // 1024} KiB")
    path = definition_path(kind.name, name)
    found, problems = parse_definition(path, kind, name, text)
    if found is None:
        raise rejected_by_rules(problems)
    # The commit only tells which hash the repository uses, SHA-1 or SHA-256.
    found = found._replace(blob=blob_id(text, batch.state.commit))
    problems = (*problems, *check_definition(found, batch.around(found), batch, batch.kinds, batch.settings))
    errors = [one for one in problems if one.severity is Severity.ERROR]
    if errors:
        raise rejected_by_rules(errors)
    # What is read back decides, not what was meant: YAML has no form for some values, such as very large
    # numbers.
    if document is not None and not same(found.data, document):
        raise RejectedError(422, "the document cannot be stored exactly")
    return found


def _judge(batch: Batch, request: WriteRequest, before: Definition, after: Definition | None) -> None:
    """Raise RejectedError with status 409 for a change of the level that the settings name in `fail_on`."""
    settings = batch.settings
    if not settings.fail_on:
        return
    there = [before] if after is None else [before, after]
    others = [one for each in there for one in batch.around(each)]
    changed = compare(
        Side([before], batch.kinds, others),
        Side([after] if after is not None else [], batch.kinds, others),
        settings=settings,
        today=date.today(),  # noqa: DTZ011 - a sunset is a date without a zone
        used_by=lambda kind, name: [one.name for one in batch.referring((kind, name))],
    )

    def limit(party: str, name: str) -> Level | None:
        level = settings.fails_from(party, name)
        return Level(level) if level in tuple(Level) else None

    if not failing(changed, limit):
        return
    # Two conditions, against breaking clients by accident: the right of the user, and the header of this
    # request.
    how = "a user with the right `break` can send `Allow-Breaking: true`"
    if request.may_break:
        how = request.refusal("break", before.name)
        if not how:
            return
    raise RejectedError(
        409, f"the change is {changed[0].level}: {_reason(changed)}; {how}", {"changes": _findings(changed)}
    )


def _reason(changed: Sequence[Changed]) -> str:
    return changed[0].meanings[0].title[:1].lower() + changed[0].meanings[0].title[1:]


def _findings(changed: Sequence[Changed]) -> list[dict[str, Any]]:
    return [
        {
            "rule": one.rule,
            "level": one.level.value,
            "pointer": one.pointer,
            "message": one.title,
            "hint": one.action,
        }
        for each in changed
        for one in each.meanings
    ]
