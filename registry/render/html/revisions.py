"""Revisions on pages, with descriptions of their changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from registry.model import addresses
from registry.model.revision import blobs_of
from registry.model.word_diff import common_ends
from registry.render.html.filled_template import escape_all_html
from registry.render.html.text import SHOWN_CHARACTERS, TEXT, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from registry.model.diff import Change
    from registry.model.repository_links import RepositoryLinks
    from registry.model.revision import Revision
    from registry.render.html.filled_template import Texts
    from registry.render.html.pages import Templates
    from registry.snapshot import Snapshot

SHOWN_CHANGES = 40
# Placeholders for the relative path to the root and for the file of a revision. No escaped text can contain
# them: "<" is always escaped.
_ROOT = Markup("<\0>")
_FILE = b"<\1>"
_LABEL = 50
_TABLE = (
    # Not a region: many landmarks with one name are no help.
    b'<div class="scroll" tabindex="0" role="group" aria-label="Changed fields">'
    b'<table class="changes"><thead><tr><th scope="col">Field</th>'
    b'<th scope="col">Before</th><th scope="col">After</th>'
    b"</tr></thead><tbody>\n"
)
_FIELD = b'<tr><th scope="row"><code><bdi>%s</bdi></code></th>' % TEXT
_OLD, _NEW = (b"<td><%s><bdi>%s</bdi></%s></td>" % (tag, TEXT, tag) for tag in (b"del", b"ins"))
_NONE = b'<td><span class="none">not set</span></td>'
_ROW, _ROW_ADDED, _ROW_REMOVED = (
    b"%s%s%s</tr>\n" % cells for cells in ((_FIELD, _OLD, _NEW), (_FIELD, _NONE, _NEW), (_FIELD, _OLD, _NONE))
)
# The start and the end of both values are equal.
_OLD_PART, _NEW_PART = (
    b'<td class="part"><bdi>%s<%s>%s</%s>%s</bdi></td>' % (TEXT, tag, TEXT, tag, TEXT)
    for tag in (b"del", b"ins")
)
_ROW_IN_PARTS = b"%s%s%s</tr>\n" % (_FIELD, _OLD_PART, _NEW_PART)
# Smallest part of the longer value that is equal, so that both are shown in parts.
_LEAST_COMMON = 0.3
_END = b"</tbody></table></div>"


class ShownRevision(NamedTuple):
    """One revision as shown on pages, in markup.

    `facts` are its author and date, `changed` its changes, `listed` its entry in a list of revisions, with
    placeholders.
    """

    number: int
    subject: str
    facts: bytes
    changed: bytes
    listed: bytes
    only_assigns_id: bool = False


def shown_revisions(
    snapshot: Snapshot, kind: str, name: str, revisions: Sequence[Revision], templates: Templates
) -> tuple[ShownRevision, ...]:
    """Return all revisions of one definition, newest first.

    `name` is the current name of the definition.
    """
    shows_revisions = snapshot.settings.shows_revisions
    newest_first = [*reversed(revisions)]
    if shows_revisions:
        snapshot.contents.prefetch(blobs_of(newest_first))
    links = snapshot.settings.repository_links
    facts = templates.fill_macros("facts", [_facts(revision, name, links) for revision in newest_first])
    changed = _changed(snapshot, newest_first)
    subjects = [revision.message.split("\n", 1)[0] or "(no message)" for revision in newest_first]
    shown_parts = [
        *zip([revision.number for revision in newest_first], subjects, facts, changed, strict=True)
    ]
    count = len(newest_first)
    # Rendered once for all pages that list them: each page inserts its relative path to the root.
    listed = templates.fill_macros(
        "revision",
        [
            {
                "number": str(number),
                "subject": subject,
                "href": revision_href(snapshot, kind, name, number, count),
                "facts": who,
                "changed": what,
                "file": _FILE,
            }
            for number, subject, who, what in shown_parts
        ],
        root=_ROOT,
    )
    return tuple(
        [
            ShownRevision(*one, item, revision.only_assigns_id)
            for one, item, revision in zip(shown_parts, listed, newest_first, strict=True)
        ]
    )


def _facts(revision: Revision, current_name: str, links: RepositoryLinks) -> Texts:
    return {
        "author": revision.author,
        "date": revision.date,
        "day": revision.date[:10],
        "commit": (revision.commit or "")[:10],
        "commit_href": links.of_commit(revision.commit),
        "other_name": revision.name if revision.name != current_name else "",
    }


def _changed(snapshot: Snapshot, newest_first: Sequence[Revision]) -> list[bytes]:
    """Return the changes of each revision: a table, or a note if no field changed."""
    shows_revisions = snapshot.settings.shows_revisions
    changes = [snapshot.changes_of(revision) if shows_revisions else [] for revision in newest_first]
    before = [*newest_first[1:], None][: len(newest_first)]  # a recovered definition may have no revision
    return [
        table or _note(snapshot, revision, last)
        for table, revision, last in zip(_tables(changes), newest_first, before, strict=True)
    ]


def revision_href(snapshot: Snapshot, kind: str, name: str, number: int, count: int) -> str:
    """Return the address of a revision: its own page, or its place on a page of the history."""
    if snapshot.settings.has_revision_addresses:
        return addresses.href(addresses.revision_page(kind, name, number))
    return addresses.revision_anchor(kind, name, number, count)


def history_list(shown: Iterable[ShownRevision], root: str) -> bytes:
    """Return a list of revisions without their files; `root` is the relative path to the root of the site."""
    return at_root([one.listed.replace(_FILE, b"") for one in shown], root)


def history_with_files(
    shown: Iterable[ShownRevision], contents: Iterable[Texts], templates: Templates
) -> list[bytes]:
    """Return the entry of each revision with its file, for `at_root`; `contents` are the files' texts."""
    files = templates.fill_macros(
        "file",
        [{**texts, "number": str(one.number)} for one, texts in zip(shown, contents, strict=True)],
    )
    return [one.listed.replace(_FILE, file) for one, file in zip(shown, files, strict=True)]


def at_root(entries: Iterable[bytes], root: str) -> bytes:
    """Return the joined entries of a page; `root` is the relative path to the root of the site."""
    return b"".join(entries).replace(_ROOT.encode(), root.encode())


def choices(shown: Iterable[ShownRevision], templates: Templates) -> bytes:
    """Return the options of a selection of revisions."""
    return templates.fill_each(
        "choice",
        [
            {
                "number": str(one.number),
                "label": f"{one.number}: "
                f"{one.subject if len(one.subject) <= _LABEL else f'{one.subject[:_LABEL]}…'}",
            }
            for one in shown
        ],
    )


def _tables(some: Iterable[Sequence[Change]]) -> list[bytes]:
    """Return a table of changed fields for each revision, or b"" for one without any.

    Not a template: a catalog has more of these tables than of anything else.
    """
    texts: list[str] = []
    # Each table with the number of texts up to its end: all texts are escaped in one call.
    forms = [(_table(changes, texts), len(texts)) for changes in some]
    escaped = escape_all_html(texts)
    start = 0
    found = []
    for form, end in forms:
        found.append(form % tuple(escaped[start:end]))
        start = end
    return found


def _table(changes: Sequence[Change], texts: list[str]) -> bytes:
    """Return the markup of one table, with a placeholder for each text that is appended to `texts`."""
    if not changes:
        return b""
    parts = [_TABLE]
    for pointer, old, new in changes[:SHOWN_CHANGES]:
        # Most are short texts: a call for each takes a fifth of the time of a table.
        before = old if type(old) is str and len(old) <= SHOWN_CHARACTERS else short(old)
        after = new if type(new) is str and len(new) <= SHOWN_CHARACTERS else short(new)
        texts.append(pointer or "/")
        if before is not None and after is not None and (in_parts := _in_parts(before, after)):
            texts += in_parts
            parts.append(_ROW_IN_PARTS)
            continue
        if before is None:
            parts.append(_ROW_ADDED)
        else:
            texts.append(before)
            parts.append(_ROW if after is not None else _ROW_REMOVED)
        if after is not None:
            texts.append(after)
    parts.append(_END)
    if len(changes) > SHOWN_CHANGES:
        parts.append(b'<p class="note">And %d more: see the JSON.</p>' % (len(changes) - SHOWN_CHANGES))
    return b"".join(parts)


def _in_parts(before: str, after: str) -> tuple[str, ...]:
    """Return start, middle and end of both values, where start and end are equal; () if these are short."""
    if before[:1] != after[:1] and before[-1:] != after[-1:]:
        return ()  # the usual case
    start, end = common_ends(before, after)
    if start + end < _LEAST_COMMON * max(len(before), len(after)) or start + end == 0:
        return ()
    return tuple(
        part
        for text in (before, after)
        for part in (text[:start], text[start : len(text) - end], text[len(text) - end :])
    )


def _note(snapshot: Snapshot, revision: Revision, last: Revision | None) -> bytes:
    text = _why_no_field(snapshot, revision, last)
    return f'<p class="note">{text}</p>'.encode() if text else b""


def _why_no_field(snapshot: Snapshot, revision: Revision, last: Revision | None) -> str:
    if revision.blob is None:
        return "Deleted."
    if not snapshot.settings.shows_revisions:
        return ""
    if snapshot.document_of(revision) is None:
        return "The file could not be read at this commit."
    if last is not None and last.blob is None:
        return "Restored."
    if revision.old_blob is None:
        return "First version."
    return "No field changed, only comments, the order or the path of the file."
