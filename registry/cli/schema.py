"""`registry schema`: the schemas that editors and programs use."""

from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.terminal import RegistryOption, find_root, out, write_api_answer

if TYPE_CHECKING:
    from registry.load.source import WorkTree


def command(
    kind: Annotated[
        str | None, typer.Argument(help="Print the whole schema of this kind.", metavar="[KIND]")
    ] = None,
    registry: RegistryOption = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Write the schema files that only editors read: of the adapter types, and of registry.yaml.",
        ),
    ] = False,
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            help="After an upgrade of the program: replace older copies of its schemas, keep files that were changed here, "
            "then do what --write does.",
        ),
    ] = False,
) -> None:
    """Print a kind's JSON Schema with everything that it refers to, or write the schema files that editors use.

    Examples: `registry schema process_definition` · `registry schema --write` · `registry schema --update`
    """
    from registry.errors import ProblemsError, UsageError, nearest
    from registry.load.kinds import load_kinds
    from registry.load.source import WorkTree
    from registry.model.problem import has_errors

    root = find_root(registry)
    source = WorkTree(root)
    if update:
        _update(source)
        source = WorkTree(root)
    kinds, problems = load_kinds(source)
    if has_errors(problems):
        raise ProblemsError(problems, source.read, "the schemas have problems")
    if write or update:
        from registry.scaffold import write_generated_schemas

        written = write_generated_schemas(root, kinds.adapters)
        out.print(f"Wrote {' and '.join(written)}.", markup=False)
    elif kind is None:
        for one in kinds:
            out.print(f"{one.name}: {one.description}", markup=False)
        out.print(f"Adapter types: {', '.join(kinds.adapters)}.", markup=False)
    elif kind in kinds.by_name:
        write_api_answer(kinds.by_name[kind].schema)
    else:
        raise UsageError(
            f"there is no kind `{kind}`",
            nearest(kind, kinds.by_name) or f"the kinds are {', '.join(kinds.by_name)}",
        )


def _update(source: "WorkTree") -> None:
    from registry.scaffold import update_schemas

    done = update_schemas(source)
    for path in done.replaced:
        out.print(f"Updated {path}.", markup=False)
    for path in done.kept:
        out.print(f"Kept {path}: it was changed here. Compare it with the program's.", markup=False)
    if not done.replaced:
        out.print("No copy is older than the program.", markup=False)
