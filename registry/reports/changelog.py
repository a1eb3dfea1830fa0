"""Format the changes of a registry as release notes, breaking changes first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from registry.changes.compare import What
from registry.changes.table import Level
from registry.model.characters import visible
from registry.model.diff import MISSING
from registry.reports.changes import json as changes_json
from registry.reports.changes import markdown
from registry.reports.changes.words import NO_CHANGES, affected, comparison_summary, title, value, who
from registry.reports.envelope import to_text

if TYPE_CHECKING:
    from registry.changes.meaning import Meaning
    from registry.review.changelog import Changelog, ChangelogEntry

_HEADINGS = {Level.BREAKING: "Breaking", Level.RISKY: "Risky", Level.SAFE: "Safe"}
_LONGEST = 120
Quote = Callable[[str], str]


def as_text(changelog: Changelog) -> str:
    """Format for a terminal."""
    return _notes(changelog, "", visible)


def as_markdown(changelog: Changelog) -> str:
    """Format as Markdown for a release page. Text of definitions appears only as code."""
    return _notes(changelog, "#", markdown.code)


def as_json(changelog: Changelog) -> str:
    """Format as the JSON of `registry diff --format json`, plus `since` and commits."""
    body = changes_json.comparison_body(changelog.comparison)
    for listed, entry in zip(body["definitions"], changelog.entries, strict=True):
        listed["commits"] = [
            {"commit": one.commit, "author": one.author, "date": one.date, "message": one.message}
            for one in entry.commits
        ]
    return to_text({"title": changelog.title, "since": changelog.since, **body})


def _notes(changelog: Changelog, mark: str, quote: Quote) -> str:
    compared = changelog.comparison
    heading = f"{mark} " if mark else ""
    name = visible(changelog.title) if not mark else markdown.escaped(changelog.title)
    words = comparison_summary(compared) if compared.changed else NO_CHANGES
    lines = [
        f"{heading}{name}: {quote(changelog.since)} to {quote((compared.head or 'work tree')[:12])}",
        "",
        words,
    ]
    for level in Level:
        found = [line for entry in changelog.entries for line in _entry(entry, level, quote)]
        if found:
            lines += ["", f"{mark}{heading}{_HEADINGS[level]}", "", *found]
    return "\n".join(lines) + "\n"


def _entry(entry: ChangelogEntry, level: Level, quote: Quote) -> Iterator[str]:
    meanings = [one for one in entry.changed.meanings if one.level is level]
    if not meanings:
        return
    commits = ", ".join(one.commit[:10] for one in entry.commits)
    yield f"- {quote(title(entry.changed))}" + (f" ({commits})" if commits else "")
    if entry.changed.affects and level is not Level.SAFE:
        yield f"  - {quote(affected(entry.changed))}"
    # Every field of a new definition is new: the title of the entry says it all.
    if entry.changed.what is What.ADDED:
        return
    for one in meanings:
        yield f"  - {_meaning(one, quote)}"


def _meaning(one: Meaning, quote: Quote) -> str:
    values = (
        ""
        if one.old is MISSING and one.new is MISSING
        else f" ({_short(one.old, quote)} → {_short(one.new, quote)})"
    )
    place = f"{quote(one.pointer)}: " if one.pointer else ""
    acts = f". {who(one)}" if who(one) and one.level is not Level.SAFE else ""
    return f"{place}{one.title}{values}{acts}"


def _short(found: object, quote: Quote) -> str:
    if found is MISSING:
        return "not set"
    text = value(found).replace("\n", "⏎")
    return quote(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…") or '""'


CHANGELOG_FORMATS: dict[str, Callable[[Changelog], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
}
