"""Revisions as pages show them: what each changed, in words."""

from collections.abc import Sequence
from typing import NamedTuple

from registry.history import Revision
from registry.render.html.text import short
from registry.snapshot import Snapshot

SHOWN_CHANGES = 40
_LABEL = 50


# Named tuples, not dictionaries, for what stands on a page many times: Jinja2 looks for an attribute first, and a
# dictionary answers with an exception (a third of the time of a page).


class ShownChange(NamedTuple):
    """One changed field; None where there was no value."""

    pointer: str
    old: str | None
    new: str | None


class ShownRevision(NamedTuple):
    """One revision as a page shows it; `note` says what there is instead of changed fields, `label` names it in a list of choices."""

    number: int
    commit: str | None
    author: str
    date: str
    subject: str
    name: str
    changes: tuple[ShownChange, ...]
    more: int
    note: str
    label: str
    href: str  # of its page, from the top; "" where it has none


def shown_revisions(snapshot: Snapshot, page: str, revisions: Sequence[Revision]) -> tuple[ShownRevision, ...]:
    """All revisions of one definition, newest first; `page` is the address of the definition's page, from the top."""
    return tuple(_shown(snapshot, page, revision) for revision in reversed(revisions))


def _shown(snapshot: Snapshot, page: str, revision: Revision) -> ShownRevision:
    changes = snapshot.changes_of(revision)
    subject = revision.message.split("\n", 1)[0] or "(no message)"
    shown = tuple(ShownChange(change.pointer or "/", short(change.old), short(change.new)) for change in changes[:SHOWN_CHANGES])
    return ShownRevision(
        number=revision.number,
        commit=revision.commit,
        author=revision.author,
        date=revision.date,
        subject=subject,
        name=revision.name,
        changes=shown,
        more=max(0, len(changes) - SHOWN_CHANGES),
        note="" if changes else _note(snapshot, revision),
        label=f"{revision.number}: {subject if len(subject) <= _LABEL else f'{subject[:_LABEL]}…'}",
        href=f"{page}revisions/{revision.number}/",
    )


def _note(snapshot: Snapshot, revision: Revision) -> str:
    if revision.blob is None:
        return "Deleted."
    if snapshot.documents.get(revision.blob) is None:
        return "The file could not be read at this commit."
    if revision.old_blob is None:
        return "First version." if revision.number == 1 else "Brought back."
    if revision.other_blobs:
        return "Branches were brought together; no field was changed in doing so."
    return "No field changed: comments, order, or the place of the file."
