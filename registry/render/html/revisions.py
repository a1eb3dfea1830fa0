"""Revisions as pages show them: what each changed, in words."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from registry.diff import Change
from registry.history import Revision
from registry.render.html.text import TEXT, filled, short
from registry.snapshot import Snapshot

SHOWN_CHANGES = 40
_LABEL = 50


# A named tuple, not a dictionary, for what stands on a page many times: Jinja2 looks for an attribute first, and a
# dictionary answers with an exception (a third of the time of a page).


class ShownRevision(NamedTuple):
    """One revision as pages show it; `label` names it in a list of choices, `facts` says who and when, `changed` what."""

    number: int
    commit: str | None
    author: str
    date: str
    subject: str
    name: str
    label: str
    href: str  # of its page, from the top; "" where it has none
    changed: Markup
    facts: Markup = Markup()


def shown_revisions(snapshot: Snapshot, page: str, name: str, revisions: Sequence[Revision], macros: Any) -> tuple[ShownRevision, ...]:
    """All revisions of one definition, newest first; `page` is the address of its page, from the top, `name` its name now.

    `macros` are those of changes.html.
    """
    shown = (_shown(snapshot, page, revision) for revision in reversed(revisions))
    return tuple(one._replace(facts=macros.facts(one, name)) for one in shown)


def _shown(snapshot: Snapshot, page: str, revision: Revision) -> ShownRevision:
    shows_revisions = snapshot.settings.shows_revisions
    changes = snapshot.changes_of(revision) if shows_revisions else []
    subject = revision.message.split("\n", 1)[0] or "(no message)"
    return ShownRevision(
        number=revision.number,
        commit=revision.commit,
        author=revision.author,
        date=revision.date,
        subject=subject,
        name=revision.name,
        changed=_changed(changes) if changes else _note(snapshot, revision),
        label=f"{revision.number}: {subject if len(subject) <= _LABEL else f'{subject[:_LABEL]}…'}",
        href=f"{page}revisions/{revision.number}/" if shows_revisions else "",
    )


def _changed(changes: Sequence[Change]) -> Markup:
    """Changed fields as a table. Not a template: there are more of these than of anything else in a catalog."""
    parts = ['<div class="scroll"><table class="changes"><thead><tr><th scope="col">Field</th><th scope="col">Before</th>'
             '<th scope="col">After</th></tr></thead><tbody>\n']  # fmt: skip
    texts = []
    for change in changes[:SHOWN_CHANGES]:
        old, new = short(change.old), short(change.new)
        texts.append(change.pointer or "/")
        texts.extend(text for text in (old, new) if text is not None)
        parts += ('<tr><th scope="row"><code>', TEXT, "</code></th>", *_cell("del", old), *_cell("ins", new), "</tr>\n")
    parts.append("</tbody></table></div>")
    if len(changes) > SHOWN_CHANGES:
        parts.append(f'<p class="note">And {len(changes) - SHOWN_CHANGES} more: see the JSON.</p>')
    return filled(parts, texts)


def _cell(tag: str, text: str | None) -> tuple[str, ...]:
    return ('<td><span class="none">not set</span></td>',) if text is None else (f"<td><{tag}>", TEXT, f"</{tag}></td>")


def _note(snapshot: Snapshot, revision: Revision) -> Markup:
    text = _why_no_field(snapshot, revision)
    return Markup('<p class="note">{}</p>').format(text) if text else Markup()


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
