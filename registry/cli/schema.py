"""`registry schema`: the schemas that editors and programs use."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.completers import complete_kinds
from registry.cli.options import registry_option
from registry.cli.terminal import find_root, out, write_api_answer

if TYPE_CHECKING:
    from registry.load.source import WorkTree


@click.command("schema")
@click.argument("kind", required=False, shell_complete=complete_kinds)
@registry_option
@click.option(
    "--write",
    is_flag=True,
    help="Write the schema files that only editors read: those of the adapter types and of registry.yaml.",
)
@click.option(
    "--update",
    is_flag=True,
    help="Replace outdated copies of the program's schemas, keep changed files, then do the same as --write. "
    "Run it after an upgrade of the program.",
)
def command(kind: str | None, registry: Path | None, write: bool, update: bool) -> None:
    """Print the JSON Schema of a kind, or list the kinds.

    The printed schema of KIND is self-contained: it has no references to other files.

    \b
    Examples:
      registry schema
      registry schema process_definition
      registry schema --write
      registry schema --update
    """
    from registry.errors import ProblemsError
    from registry.load.kinds import load_kinds
    from registry.load.source import WorkTree
    from registry.model.problem import has_errors

    root = find_root(registry)
    source = WorkTree(root)
    if update:
        # The next source is a new one: this one has read the files that are replaced.
        _update(source)
        source = WorkTree(root)
    kinds, problems = load_kinds(source)
    if has_errors(problems):
        raise ProblemsError(problems, source.read, "the schemas have problems")
    if write or update:
        from registry.scaffold import write_generated_schemas

        written = write_generated_schemas(root, kinds.adapters, source.settings.protocols)
        out.print(f"Wrote {' and '.join(written)}.", markup=False)
    elif kind is None:
        for one in kinds:
            out.print(f"{one.name}: {one.description}", markup=False)
        out.print(f"Adapter types: {', '.join(kinds.adapters)}.", markup=False)
    else:
        write_api_answer(kinds.named(kind).schema)


def _update(source: "WorkTree") -> None:
    from registry.scaffold import update_schemas

    done = update_schemas(source)
    for path in done.replaced:
        out.print(f"Updated {path}.", markup=False)
    for path in done.kept:
        out.print(f"Kept {path}: it was changed here. Compare it with the program's.", markup=False)
    if not done.replaced:
        out.print("No copy is older than the program.", markup=False)
