"""Revisions as pages show them: what each changed, in words."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from registry.diff import Change
from registry.history import Revision
from registry.render.html.pages import Pages
from registry.render.html.text import TEXT, filled, short
from registry.snapshot import Snapshot, blobs_of

SHOWN_CHANGES = 40
# Stands for the way to the top. No text looks like it: in markup its first sign is written in another way.
_ROOT = Markup("<\0>")
_LABEL = 50
_TABLE = (
    '<div class="scroll"><table class="changes"><thead><tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">After</th>'
    "</tr></thead><tbody>\n"
)
_FIELD = f'<tr><th scope="row"><code>{TEXT}</code></th>'
_OLD, _NEW, _NONE = f"<td><del>{TEXT}</del></td>", f"<td><ins>{TEXT}</ins></td>", '<td><span class="none">not set</span></td>'
_ROW, _ROW_ADDED, _ROW_REMOVED = f"{_FIELD}{_OLD}{_NEW}</tr>\n", f"{_FIELD}{_NONE}{_NEW}</tr>\n", f"{_FIELD}{_OLD}{_NONE}</tr>\n"


class ShownRevision(NamedTuple):
    """One revision as pages show it: `facts` says who and when, `changed` what, `listed` all of it in a list of revisions."""

    number: int
    subject: str
    facts: Markup
    changed: Markup
    listed: str


def shown_revisions(snapshot: Snapshot, page: str, name: str, revisions: Sequence[Revision], pages: Pages) -> tuple[ShownRevision, ...]:
    """All revisions of one definition, newest first; `page` is the address of its page, from the top, `name` its name now."""
    shows_revisions = snapshot.settings.shows_revisions
    newest_first = [*reversed(revisions)]
    if shows_revisions:
        snapshot.contents.expect_now(list(blobs_of(newest_first)))
    facts = map(Markup, pages.fill_macros("facts", [
        {
            "author": revision.author,
            "date": revision.date,
            "day": revision.date[:10],
            "commit": (revision.commit or "")[:10],
            "other_name": revision.name if revision.name != name else "",
        }
        for revision in newest_first
    ]))  # fmt: skip
    subjects = [revision.message.split("\n", 1)[0] or "(no message)" for revision in newest_first]
    changed = []
    for revision in newest_first:
        changes = snapshot.changes_of(revision) if shows_revisions else ()
        changed.append(_changed(changes) if changes else _note(snapshot, revision))
    told = [*zip([revision.number for revision in newest_first], subjects, facts, changed, strict=True)]
    # Once for all pages that list them: each puts in its way to the top.
    listed = pages.fill_macros("revision", [
        {
            "number": str(number),
            "subject": subject,
            "href": f"{page}revisions/{number}/" if shows_revisions else "",
            "facts": who,
            "changed": what,
        }
        for number, subject, who, what in told
    ], root=_ROOT)  # fmt: skip
    return tuple([ShownRevision(*one, item) for one, item in zip(told, listed, strict=True)])


def history_list(shown: Iterable[ShownRevision], root: str) -> Markup:
    """These revisions one below the other; `root` is the way to the top."""
    return Markup("".join([one.listed for one in shown]).replace(_ROOT, root))


def choices(shown: Iterable[ShownRevision], pages: Pages) -> Markup:
    """The options of a list to choose a revision from."""
    return pages.fill_each("choice", [
        {"number": str(one.number), "label": f"{one.number}: {one.subject if len(one.subject) <= _LABEL else f'{one.subject[:_LABEL]}…'}"}
        for one in shown
    ])  # fmt: skip


def _changed(changes: Sequence[Change]) -> Markup:
    """Changed fields as a table. Not a template: there are more of these than of anything else in a catalog."""
    parts = [_TABLE]
    texts = []
    for pointer, old, new in changes[:SHOWN_CHANGES]:
        before, after = short(old), short(new)
        texts.append(pointer or "/")
        if before is not None:
            texts.append(before)
        if after is not None:
            texts.append(after)
        parts.append(_ROW if before is not None and after is not None else _ROW_ADDED if before is None else _ROW_REMOVED)
    parts.append("</tbody></table></div>")
    if len(changes) > SHOWN_CHANGES:
        parts.append(f'<p class="note">And {len(changes) - SHOWN_CHANGES} more: see the JSON.</p>')
    return filled(parts, texts)


def _note(snapshot: Snapshot, revision: Revision) -> Markup:
    text = _why_no_field(snapshot, revision)
    return Markup(f'<p class="note">{text}</p>') if text else Markup()


def _why_no_field(snapshot: Snapshot, revision: Revision) -> str:
    if revision.blob is None:
        return "Deleted."
    if not snapshot.settings.shows_revisions:
        return ""
    if snapshot.document_of(revision) is None:
        return "The file could not be read at this commit."
    if revision.old_blob is None:
        return "First version." if revision.number == 1 else "Brought back."
    if revision.other_blobs:
        return "Branches were brought together; no field was changed in doing so."
    return "No field changed: comments, order, or the place of the file."
