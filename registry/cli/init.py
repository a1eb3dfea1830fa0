"""`registry init`: a new registry."""

from pathlib import Path
from typing import Annotated

import typer

from registry.cli.terminal import out


def command(
    folder: Annotated[Path, typer.Argument(help="The folder to make it in.", metavar="DIR")],
    title: Annotated[str, typer.Option("--title", help="What the registry is called.")] = "Process Registry",
) -> None:
    """Make a new registry: a git repository with settings, schemas, one example, editor set-up, README and a CI workflow.

    Files that are there already stay as they are.

    Example: `registry init processes --title "Processes of the weather team"`
    """
    from registry.scaffold import init_registry

    for name in init_registry(folder, title):
        out.print(f"  {name}", markup=False)
    out.print(f"A new registry in {folder}. Next:", markup=False)
    out.print(f"  cd {folder} && git add . && git commit -m 'Start the registry'\n  registry index\n  registry serve", markup=False)
