"""Candidates for shell completion: definition names, kinds and rule ids.

An unreadable registry has no candidates: an error message would disturb the command line being typed.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from registry.errors import RegistryError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from registry.load.source import Source


def complete_definitions(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Return names that start with `incomplete`.

    The kind precedes the name if it was typed, or if two kinds have this name.
    """
    from click.shell_completion import CompletionItem

    from registry.model.definition import DEFINITIONS_FOLDER, kind_and_name

    kinds_by_name: dict[str, list[str]] = {}
    with suppress(RegistryError, OSError):
        # Names are in the paths. Reading all files would take longer than a person waits for a completion.
        for entry in _source(context).entries(DEFINITIONS_FOLDER):
            kind, name = kind_and_name(entry.path) or ("", "")
            if name and context.params.get("kind") in (None, kind):
                kinds_by_name.setdefault(name, []).append(kind)
    candidates = []
    for name, kinds in kinds_by_name.items():
        if len(kinds) == 1:
            candidates.append(name)
        candidates += [
            f"{kind}/{name}" for kind in kinds if len(kinds) > 1 or incomplete.startswith(f"{kind}/")
        ]
    return [CompletionItem(one) for one in sorted(candidates) if one.startswith(incomplete)]


def complete_kinds(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Kinds that start with `incomplete`, with their titles."""
    from click.shell_completion import CompletionItem

    from registry.load.kinds import load_kinds

    with suppress(RegistryError, OSError):
        kinds, _ = load_kinds(_source(context))
        return [
            CompletionItem(kind.name, help=kind.title) for kind in kinds if kind.name.startswith(incomplete)
        ]
    return []


def complete_rules(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Rule ids that start with `incomplete`, in either case, with their titles."""
    from click.shell_completion import CompletionItem

    from registry.check import OTHERS, RULES

    titles = {**{rule.id: rule.title for rule in RULES}, **OTHERS}
    return [
        CompletionItem(one, help=titles[one]) for one in sorted(titles) if one.startswith(incomplete.upper())
    ]


def _source(context: click.Context) -> "Source":
    from registry.cli.terminal import find_root
    from registry.load.source import open_source

    return open_source(find_root(context.params.get("registry")), context.params.get("source") or "worktree")
