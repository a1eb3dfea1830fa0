"""`registry list`: the definitions of a registry."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.cli.completers import complete_kinds
from registry.cli.options import Format, format_option, registry_option, source_option
from registry.cli.terminal import err, find_root, out, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.model.definition import Definition


@click.command("list")
@click.argument("kind", required=False, shell_complete=complete_kinds)
@registry_option
@source_option
@format_option
def command(kind: str | None, registry: Path | None, source: str, format_: Format) -> None:
    """List the definitions: kind, id, name, title.

    KIND limits the list to one kind, for example application.

    \b
    Examples:
      registry list
      registry list application --format json
    """
    from registry.cli.lookup import load_checked

    checked = load_checked(find_root(registry), source)
    if kind is not None:
        checked.kinds.named(kind)  # raises if there is no such kind
    if checked.loaded.unreadable:
        err.print(
            "Not listed because they cannot be read: "
            f"{len(checked.loaded.unreadable)} (see `registry check`)."
        )
    chosen = [one for one in checked.loaded.definitions if kind in (None, one.kind)]
    if format_ == "json":
        listed = [_as_json(one) for one in chosen]
        write_json({"definitions": listed, "unreadable": sorted(checked.loaded.unreadable)})
    elif chosen:
        _show(chosen)
    else:
        first = next(iter(checked.kinds)).name
        out.print(f"No definitions yet: `registry new {first} NAME` creates one.", markup=False)


def _as_json(one: "Definition") -> dict[str, Any]:
    return {
        "kind": one.kind,
        "id": one.id,
        "name": one.name,
        "title": one.data.get("title"),
        "path": one.path,
    }


def _show(chosen: "Sequence[Definition]") -> None:
    """Print a table: kind, id, name, title."""
    width = max(len(one.name) for one in chosen)
    kinds = max(len(one.kind) for one in chosen)
    for one in chosen:
        number = one.id if one.id is not None else "–"
        out.print(
            f"{one.kind:<{kinds}}  {number:>5}  {one.name:<{width}}  {one.data.get('title') or ''}",
            markup=False,
        )
