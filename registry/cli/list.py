"""`registry list`: what there is."""

from typing import Annotated

import typer

from registry.cli.terminal import (
    Format,
    FormatOption,
    RegistryOption,
    SourceOption,
    err,
    find_root,
    out,
    write_json,
)


def command(
    kind: Annotated[
        str | None, typer.Argument(help="Only this kind, as in `application`.", metavar="[KIND]")
    ] = None,
    registry: RegistryOption = None,
    source: SourceOption = "worktree",
    format_: FormatOption = Format.TEXT,
) -> None:
    """List the definitions: kind, id, name, title.

    Examples: `registry list` · `registry list application --format json`
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
            f"Not in this list, because they cannot be read: {len(checked.loaded.unreadable)} (see `registry check`)."
        )
    chosen = [one for one in checked.loaded.definitions if kind in (None, one.kind)]
    if format_ is Format.JSON:
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
        out.print("Nothing yet: `registry new process_definition NAME` makes the first one.")
        return
    width = max(len(one.name) for one in chosen)
    kinds = max(len(one.kind) for one in chosen)
    for one in chosen:
        number = one.id if one.id is not None else "–"
        out.print(
            f"{one.kind:<{kinds}}  {number:>5}  {one.name:<{width}}  {one.data.get('title') or ''}",
            markup=False,
        )
