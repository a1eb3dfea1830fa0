"""`registry schema`: the schemas that editors and programs use."""

from typing import Annotated

import typer

from registry.cli.terminal import RegistryOption, find_root, out, write_api_answer


def command(
    kind: Annotated[
        str | None, typer.Argument(help="Print the whole schema of this kind.", metavar="[KIND]")
    ] = None,
    registry: RegistryOption = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Write schema/adapters.schema.json anew, after an adapter type was added: editors then offer it.",
        ),
    ] = False,
) -> None:
    """Print a kind's JSON Schema, complete in itself; or bring the file up to date through which editors find adapter types.

    Examples: `registry schema process_definition` · `registry schema --write`
    """
    from registry.errors import ProblemsError, UsageError, nearest
    from registry.load.kinds import load_kinds
    from registry.load.source import WorkTree
    from registry.model.problem import has_errors

    root = find_root(registry)
    source = WorkTree(root)
    kinds, problems = load_kinds(source)
    if has_errors(problems):
        raise ProblemsError(problems, source.read, "the schemas have problems")
    if write:
        from registry.scaffold import write_adapters_index

        out.print(f"Wrote {write_adapters_index(root, kinds.adapters)}.", markup=False)
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
