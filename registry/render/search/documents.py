"""What the search knows of one definition: texts by rank, values of facets, and what a result shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from registry.model.definition import text_at
from registry.model.pointer import steps_of
from registry.render.search.terms import terms_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from registry.load.kinds import Kind, Kinds
    from registry.model.definition import Definition

TITLE, NAME, TAG, TEXT = range(4)
"""The ranks of texts, best first."""
RANKS = 4
KIND, TAGS, OWNER, ADAPTER, LIFECYCLE = "kind", "tag", "owner", "adapter", "lifecycle"
_LONGEST_EXCERPT = 160
_LONGEST_TEXT = 4_000
_SPACES = re.compile(r"\s+")
_MARKDOWN = re.compile(r"\*\*|`")


def facet_names(kinds: Kinds) -> list[str]:
    """Return the names of all facets, which are also parameters of the page, in the order shown."""
    fields = [name for name in kinds.fields if name not in (KIND, OWNER, ADAPTER)]
    return [KIND, TAGS, OWNER, *fields, ADAPTER, LIFECYCLE]


def facets_of(kind: Kind, definition: Definition) -> Mapping[str, Sequence[str]]:
    """Return the values of a definition by the name of the facet."""
    summary = definition.summary
    fields = {
        one.name: [value or one.default] if value or one.default else []
        for one, value in zip(kind.traits.fields, summary.fields, strict=True)
    }
    return {
        **fields,
        KIND: [kind.name],
        TAGS: _distinct(summary.tags),
        OWNER: _distinct(summary.owners),
        ADAPTER: summary.adapters,
        LIFECYCLE: [summary.lifecycle],
    }


def ranks_of(kind: Kind, definition: Definition, facets: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the terms of a definition, each with the best rank of a text that has it."""
    summary = definition.summary
    fields = [value for one in kind.traits.fields if one.is_searched for value in facets[one.name]]
    executable = text_at(definition.data, *steps_of(kind.traits.executable)) if kind.traits.executable else ""
    number = "" if definition.id is None else str(definition.id)
    text = (summary.description[:_LONGEST_TEXT], executable or "", number, *fields)
    texts = {
        TITLE: summary.title,
        NAME: definition.name,
        TAG: " ".join(summary.tags),
        TEXT: " ".join((*text, *facets[ADAPTER], *facets[OWNER])),
    }
    ranks: dict[str, int] = {}
    for rank, one in texts.items():
        for term in terms_of(one):
            ranks.setdefault(term, rank)
    return ranks


def row_of(definition: Definition) -> list[Any]:
    """Return what a result shows: name, title, lifecycle, tags, and the start of the description."""
    summary = definition.summary
    description = _MARKDOWN.sub("", _SPACES.sub(" ", summary.description[: 2 * _LONGEST_EXCERPT])).strip()
    if len(description) > _LONGEST_EXCERPT:
        description = f"{description[:_LONGEST_EXCERPT].rstrip()}…"
    return [definition.name, summary.title, summary.lifecycle, summary.tags, description]


def _distinct(values: Sequence[str]) -> list[str]:
    return [*dict.fromkeys(values)]
