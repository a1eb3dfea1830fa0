"""`registry list`: the definitions of a registry."""

from pathlib import Path

import click

from registry.cli.completers import complete_kinds
from registry.cli.options import Format, format_option, registry_option, source_option
from registry.cli.terminal import err, find_root, out, write_json


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
    from registry.errors import UsageError, nearest

    checked = load_checked(find_root(registry), source)
    if kind is not None and kind not in checked.kinds.by_name:
        raise UsageError(
            f"there is no kind `{kind}`",
            nearest(kind, checked.kinds.by_name) or f"the kinds are {', '.join(checked.kinds.by_name)}",
        )
    if checked.loaded.unreadable:
        err.print(
            "Not listed because they cannot be read: "
            f"{len(checked.loaded.unreadable)} (see `registry check`)."
        )
    chosen = [one for one in checked.loaded.definitions if kind in (None, one.kind)]
    if format_ == "json":
        listed = [
            {
                "kind": one.kind,
                "id": one.id,
                "name": one.name,
                "title": one.data.get("title"),
                "path": one.path,
            }
            for one in chosen
        ]
        write_json({"definitions": listed, "unreadable": sorted(checked.loaded.unreadable)})
        return
    if not chosen:
        first = next(iter(checked.kinds)).name
        out.print(f"No definitions yet: `registry new {first} NAME` creates one.", markup=False)
        return
    width = max(len(one.name) for one in chosen)
    kinds = max(len(one.kind) for one in chosen)
    for one in chosen:
        number = one.id if one.id is not None else "–"
        out.print(
            f"{one.kind:<{kinds}}  {number:>5}  {one.name:<{width}}  {one.data.get('title') or ''}",
            markup=False,
        )
