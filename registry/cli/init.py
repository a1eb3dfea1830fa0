"""`registry init`: a new registry."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from registry.cli.terminal import out


class CiForge(StrEnum):
    """Where the repository is hosted."""

    GITHUB = "github"
    GITLAB = "gitlab"
    FORGEJO = "forgejo"


def command(
    folder: Annotated[Path, typer.Argument(help="The folder to make it in.", metavar="DIR")],
    title: Annotated[str, typer.Option("--title", help="What the registry is called.")] = "Process Registry",
    ci: Annotated[
        list[CiForge] | None,
        typer.Option(
            "--ci", help="Write a CI file for this forge; may be given several times. [default: github]"
        ),
    ] = None,
) -> None:
    """Make a new registry: a git repository with settings, schemas, one example, editor set-up, README and a CI file.

    Files that are there already stay as they are.

    Examples: `registry init processes --title "Processes of the weather team"` · `registry init processes --ci gitlab`
    """
    from registry.scaffold import init_registry

    for name in init_registry(folder, title, [forge.value for forge in ci or [CiForge.GITHUB]]):
        out.print(f"  {name}", markup=False)
    out.print(f"A new registry in {folder}. Next:", markup=False)
    out.print_lines(
        f"  cd {folder} && git add . && git commit -m 'Start the registry'\n  registry index\n  registry serve"
    )
