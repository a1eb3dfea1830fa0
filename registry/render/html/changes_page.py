"""The newest changes of all definitions: a page, and a feed for feed readers (Atom, RFC 4287)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from registry.cache.build_cache import Table
from registry.changes import DefinitionState, meanings_between
from registry.changes.table import TABLE, Level, Party
from registry.model import addresses
from registry.model.characters import visible
from registry.model.diff import diff
from registry.model.revision import blobs_of
from registry.render.html.marks import sign_invisible
from registry.render.html.revisions import revision_href
from registry.render.target import digest_of
from registry.snapshot import Tombstone, recent_revisions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from registry.changes.meaning import Meaning
    from registry.model.revision import Revision
    from registry.snapshot import RecentRevision, Snapshot

FEED_FILE = f"{addresses.CHANGES}/feed.atom"
_SHOWN_MEANINGS = 4
# Characters that XML 1.0 does not allow.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JudgedMeaning(NamedTuple):
    """One meaning of a change: its level, the parties that must act, the rule, and the changed field."""

    level: str
    parties: tuple[str, ...]
    rule: str
    pointer: str

    @property
    def title(self) -> str:
        """A short title of the change."""
        return TABLE[self.rule].title


_Meanings = tuple[JudgedMeaning, ...]
Judgment = _Meanings | None
"""The meanings of a revision, most severe first; None if it changed nothing except the id."""


def _decoded(rows: Any) -> Judgment:
    if rows is None:
        return None
    return tuple([JudgedMeaning(level, tuple(parties), *rest) for level, parties, *rest in rows])


JUDGMENTS: Table[Judgment] = Table(
    "judgments", lambda found: None if found is None else [[*one] for one in found], _decoded
)
"""What the newest revisions mean, so that one edit judges one revision."""


class NewestChanges:
    """The newest changes of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Find the revisions; their contents are read when the page is rendered."""
        self._snapshot = snapshot
        self._recent = recent_revisions(snapshot)

    @property
    def fingerprint(self) -> str:
        """A digest of all inputs of the page and of the feed."""
        snapshot = self._snapshot
        facts = [
            (one.of.kind, one.of.name, one.of.id, one.total, self._href(one), one.revision, one.before)
            for one in self._recent
        ]
        return digest_of(snapshot.common_fingerprint, facts)

    def entries(self) -> list[dict[str, Any]]:
        """Return the variables of the template for each change, newest first."""
        return [self._entry(one, judgment) for one, judgment in self._judged()]

    def parties(self) -> list[tuple[str, str]]:
        """Return the parties with their descriptions."""
        return [(party.value, party.people) for party in Party]

    def feed(self) -> bytes:
        """Return the feed, without changes that are not committed."""
        snapshot = self._snapshot
        settings = snapshot.settings
        base_url = settings.base_url
        # Without a host, links are relative to the feed.
        top = f"{base_url.rstrip('/')}/" if "://" in base_url else addresses.top_from(FEED_FILE)
        committed = [pair for pair in self._judged() if pair[0].revision.commit is not None]
        updated = max((one.time for one, _ in committed), default=None)
        updated_text = updated.isoformat() if updated is not None else "1970-01-01T00:00:00+00:00"
        lines = [
            '<?xml version="1.0" encoding="utf-8"?>',
            '<feed xmlns="http://www.w3.org/2005/Atom">',
            f"<id>{escape(self._tag('changes'))}</id>",
            f"<title>{_xml(settings.title)}: changes</title>",
            f"<updated>{updated_text}</updated>",
            f"<author><name>{_xml(settings.title)}</name></author>",
            f'<link rel="self" type="application/atom+xml" href={quoteattr(top + FEED_FILE)}/>',
            f'<link rel="alternate" type="text/html" href={quoteattr(f"{top}{addresses.CHANGES}/")}/>',
            *(line for one, judgment in committed for line in self._feed_entry(one, judgment, top)),
            "</feed>\n",
        ]
        return "\n".join(lines).encode()

    def _feed_entry(self, one: RecentRevision, judgment: _Meanings, top: str) -> Iterator[str]:
        revision = one.revision
        level = f"[{judgment[0].level}] " if judgment and judgment[0].level != Level.SAFE else ""
        href = self._href(one)
        link = top + (href or addresses.href(addresses.CHANGES))
        what = [_in_words(each) for each in judgment] or [_without_meaning(revision)]
        number = one.of.id if one.of.id is not None else one.of.name
        yield "<entry>"
        yield f"<id>{escape(self._tag(f'{one.of.kind}/{number}/{revision.commit}'))}</id>"
        yield f"<title>{_xml(f'{level}{one.of.name}: {_subject(revision)}')}</title>"
        yield f"<updated>{one.time.isoformat()}</updated>"
        if revision.author.strip():
            yield f"<author><name>{_xml(revision.author)}</name></author>"
        yield f'<link rel="alternate" type="text/html" href={quoteattr(link)}/>'
        yield f"<summary>{_xml('; '.join(what))}</summary>"
        yield "</entry>"

    def _tag(self, specific: str) -> str:
        """Return a tag URI (RFC 4151) that is the same at every address of the site."""
        authority = self._snapshot.settings.registry_id or "registry"
        return f"tag:{authority},2013:{addresses.in_address(specific)}"

    def _entry(self, one: RecentRevision, judgment: _Meanings) -> dict[str, Any]:
        revision = one.revision
        page = addresses.definition_page(one.of.kind, one.of.name)
        return {
            "level": judgment[0].level if judgment else "",
            "name": sign_invisible(one.of.name),
            "definition_href": addresses.href(page) if self._href(one) else "",
            "href": self._href(one),
            "number": revision.number,
            "subject": sign_invisible(_subject(revision)),
            "author": sign_invisible(revision.author),
            "date": revision.date,
            "day": revision.date[:10],
            "commit": (revision.commit or "")[:10],
            "meanings": [
                {**each._asdict(), "title": each.title, "pointer": sign_invisible(each.pointer)}
                for each in judgment[:_SHOWN_MEANINGS]
            ],
            "more": max(0, len(judgment) - _SHOWN_MEANINGS),
            "note": "" if judgment else _without_meaning(revision),
        }

    def _href(self, one: RecentRevision) -> str:
        """Return the address of the revision; "" for a deleted definition whose name is in use again."""
        snapshot = self._snapshot
        if isinstance(one.of, Tombstone) and not snapshot.answers_by_name(one.of):
            return ""
        return revision_href(snapshot, one.of.kind, one.of.name, one.revision.number, one.total)

    def _judged(self) -> Iterator[tuple[RecentRevision, _Meanings]]:
        """Yield the changes with their meanings, without those that only assign an id."""
        judged = self._judgments() if self._snapshot.settings.shows_revisions else {}
        for one in self._recent:
            meanings = judged.get(_key(one), ())
            if meanings is not None:
                yield one, meanings

    def _judgments(self) -> dict[str, Judgment]:
        snapshot = self._snapshot
        by_key = {_key(one): one for one in self._recent}

        def judge_many(keys: Sequence[str]) -> dict[str, Judgment]:
            some = [by_key[key] for key in keys]
            snapshot.contents.prefetch(blobs_of(one.revision for one in some))
            return {_key(one): self._judge(one) for one in some}

        digests = {key: digest_of(one.revision, one.before) for key, one in by_key.items()}
        rules = (
            repr(snapshot.settings),
            [(kind.name, kind.schema, repr(kind.traits)) for kind in snapshot.kinds],
        )
        adapters = sorted(snapshot.kinds.adapters)
        version = digest_of(rules, adapters)
        return snapshot.cache.get_or_compute(JUDGMENTS, digests, judge_many, version=version)

    def _judge(self, one: RecentRevision) -> Judgment:
        revision, kind = one.revision, one.of.kind
        contents = self._snapshot.contents
        old = contents.get(revision.old_blob) if revision.old_blob else None
        new = contents.get(revision.blob) if revision.blob else None
        if (old is None and new is None) or (revision.blob and new is None):
            return ()
        if old is not None and new is not None and [each.pointer for each in diff(old, new)] == ["/id"]:
            return None
        before_name = one.before.name if one.before is not None else revision.name
        found = meanings_between(
            DefinitionState(kind, before_name, old) if old is not None else None,
            DefinitionState(kind, revision.name, new) if new is not None else None,
            self._snapshot.kinds,
            self._snapshot.settings,
            one.time.date(),
        )
        if revision.other_blobs:
            found = self._own_of_merge(revision, found)
        return tuple(
            JudgedMeaning(each.level.value, tuple(each.parties), each.rule, each.pointer) for each in found
        )

    def _own_of_merge(self, revision: Revision, found: Iterable[Meaning]) -> tuple[Meaning, ...]:
        """Return the meanings of what a merge changed itself."""
        changed = [f"{change.pointer}/" for change in self._snapshot.changes_of(revision)]
        return tuple(
            one
            for one in found
            if any(
                pointer.startswith(f"{one.pointer}/") or f"{one.pointer}/".startswith(pointer)
                for pointer in changed
            )
        )


def _key(one: RecentRevision) -> str:
    return f"{one.of.kind}/{one.of.id}/{one.of.name}/{one.revision.number}"


def _subject(revision: Revision) -> str:
    return revision.message.split("\n", 1)[0] or "(no message)"


def _in_words(one: JudgedMeaning) -> str:
    parties = f" ({', '.join(one.parties)})" if one.parties and one.level != Level.SAFE else ""
    return f"{one.level}: {one.title}{f' in {one.pointer}' if one.pointer else ''}{parties}"


def _without_meaning(revision: Revision) -> str:
    return "The definition was deleted." if revision.blob is None else "No field changed."


def _xml(text: str) -> str:
    """Return text for an element; invisible characters are escaped as in reports."""
    return escape(_NOT_XML.sub("\ufffd", visible(text)))
