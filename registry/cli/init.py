"""`registry init`: a new registry, or CI files for one that exists."""

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from registry.cli.terminal import err, find_root, out
from registry.errors import UsageError


class CiForge(StrEnum):
    """Where the repository is hosted; `none` writes no CI files."""

    GITHUB = "github"
    GITLAB = "gitlab"
    FORGEJO = "forgejo"
    NONE = "none"


def command(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="The registry's folder. Left out: the registry around this folder, else this folder.",
            metavar="DIR",
        ),
    ] = None,
    title: Annotated[str, typer.Option("--title", help="What the registry is called.")] = "Process Registry",
    ci: Annotated[
        list[CiForge] | None,
        typer.Option(
            "--ci", help="Write CI files for this forge; may be given several times. [default: github]"
        ),
    ] = None,
    install_from: Annotated[
        str | None,
        typer.Option(
            "--install-from",
            help="Where CI installs this program from: a git address with a tag. Left out: `install_from` of registry.yaml.",
            metavar="ADDRESS@TAG",
        ),
    ] = None,
) -> None:
    """Make a new registry: settings, schemas, one example, editor set-up, README and CI files, in a git repository.

    In a registry that exists, --ci adds CI files only. They go to the top of the git repository, also for a registry in a
    subfolder of it. Files that exist stay as they are.

    Examples: `registry init processes --title "Processes of the weather team"` · `registry init processes --ci gitlab` ·
    `registry init --ci github --install-from https://git.example.org/process-registry.git@v1.0.0`
    """
    from registry.load.settings import install_from_problem
    from registry.scaffold import add_ci_files, init_registry, is_registry, settings_in

    problem = install_from_problem(install_from) if install_from is not None else ""
    if problem:
        raise UsageError(f"--install-from {install_from!r}: {problem}")
    root = folder if folder is not None else find_root(None)
    forges = [forge.value for forge in ci or [CiForge.GITHUB] if forge is not CiForge.NONE]
    if ci and is_registry(root):
        if not forges:
            raise UsageError(
                f"{root} is a registry already, and --ci none adds nothing to it", "name a forge: --ci github"
            )
        address = install_from or _known_address(root, forges)
        written = add_ci_files(root, forges, address)
        _list_files(written.new, written.kept, address)
        if address and address != settings_in(root).install_from:
            err.print(
                f"note: for the next CI files, write it into registry.yaml: install_from: {address}",
                markup=False,
            )
        return
    address = install_from or ("" if is_registry(root) else _known_address(root, forges))
    written = init_registry(root, title, forges, address)
    _list_files(written.new, written.kept, address)
    out.print(f"A new registry in {root}. Next:", markup=False)
    above = sorted({name for name in written.new if name.startswith("../")})
    files = shlex.join([".", *above])
    out.print_lines(
        f"  cd {root} && git add {files} && git commit -m 'Start the registry'\n  registry index\n  registry serve"
    )


def _known_address(root: Path, forges: list[str]) -> str:
    """Where CI installs the program from: the setting, else what a person answers, else "" for the placeholder."""
    from registry.load.settings import install_from_problem
    from registry.scaffold import settings_in

    known = settings_in(root).install_from
    if known or not forges or not sys.stdin.isatty():
        return known
    while True:
        answer = typer.prompt(
            "Git address of this program, with @tag, for CI (empty: a placeholder)",
            default="",
            show_default=False,
        )
        problem = install_from_problem(answer) if answer else ""
        if not problem:
            return str(answer)
        err.print(problem, markup=False)


def _list_files(new: tuple[str, ...], kept: tuple[str, ...], address: str) -> None:
    from registry.scaffold import PLACEHOLDER

    for name in new:
        out.print(f"  {name}", markup=False)
    for name in kept:
        out.print(f"  {name} exists, and stays as it is", markup=False)
    if not address and any(name.endswith(".yml") for name in new):
        err.print(f"note: the CI files install this program from {PLACEHOLDER}, which does not exist. "
                  "Replace it, or give --install-from ADDRESS@TAG.", markup=False)  # fmt: skip
