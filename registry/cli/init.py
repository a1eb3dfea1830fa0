"""`registry init`: a new registry, or CI files for one that exists."""

import shlex
import sys
from pathlib import Path

import click

from registry.cli.terminal import err, find_root, out
from registry.errors import UsageError
from registry.scaffold import CI_FORGES


@click.command("init")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--title", default="Process Registry", metavar="TEXT", help="Title of the registry.")
@click.option(
    "--ci",
    multiple=True,
    type=click.Choice([*CI_FORGES, "none"]),
    help="Forge for which CI files are written; can be repeated. Default: github.",
)
@click.option(
    "--install-from",
    metavar="ADDRESS@TAG",
    help="Address from which CI installs this program: a git address with a tag. Default: install_from in registry.yaml.",
)
@click.option(
    "--bare",
    is_flag=True,
    help="Create a bare repository with an empty registry, for `registry serve --write`.",
)
def command(
    folder: Path | None, title: str, ci: tuple[str, ...], install_from: str | None, bare: bool
) -> None:
    """Create a registry, or add CI files to a registry.

    A registry is a folder in a git repository with settings, schemas, an example, editor settings, a README and CI
    files. DIR is the folder; the default is the registry that contains the current folder, or the current folder.

    For an existing registry, --ci adds CI files only. They are written to the top of the git repository. Existing files
    are not changed.

    \b
    Examples:
      registry init processes --title "Processes of the weather team"
      registry init processes --ci gitlab
      registry init --ci github --install-from https://git.example.org/process-registry.git@v1.0.0
      registry init --bare registry.git
    """
    from registry.load.settings import install_from_problem
    from registry.scaffold import is_registry

    if bare:
        if folder is None or ci or install_from is not None:
            raise UsageError("--bare needs DIR, and no --ci or --install-from", "registry init --bare DIR")
        _create_bare(folder, title)
        return
    problem = install_from_problem(install_from) if install_from is not None else ""
    if problem:
        raise UsageError(f"--install-from {install_from!r}: {problem}")
    root = folder if folder is not None else find_root(None)
    forges = [forge for forge in ci or ("github",) if forge != "none"]
    if ci and is_registry(root):
        _add_ci(root, forges, install_from)
    else:
        _create(root, title, forges, install_from)


def _create_bare(folder: Path, title: str) -> None:
    from registry.scaffold import init_bare_registry

    init_bare_registry(folder, title)
    out.print(f"Created a registry in the bare repository {folder}. Next:", markup=False)
    out.print_lines(f"  registry serve --write -C {shlex.quote(str(folder))} --users FILE")


def _add_ci(root: Path, forges: list[str], install_from: str | None) -> None:
    from registry.load.source import WorkTree
    from registry.scaffold import add_ci_files

    if not forges:
        raise UsageError(
            f"{root} is already a registry, and --ci none adds nothing to it", "name a forge: --ci github"
        )
    address = install_from or _known_address(root, forges)
    written = add_ci_files(root, forges, address)
    _list_files(written.new, written.kept, address)
    if address and address != WorkTree(root).settings.install_from:
        err.print(
            f"note: to use this address for later CI files, add it to registry.yaml: install_from: {address}",
            markup=False,
        )


def _create(root: Path, title: str, forges: list[str], install_from: str | None) -> None:
    from registry.scaffold import init_registry, is_registry

    # `init_registry` refuses a registry: no prompt before that.
    address = install_from or ("" if is_registry(root) else _known_address(root, forges))
    written = init_registry(root, title, forges, address)
    _list_files(written.new, written.kept, address)
    out.print(f"Created a registry in {root}. Next:", markup=False)
    # CI files are at the top of the repository, which may be above the registry.
    above = sorted({name for name in written.new if name.startswith("../")})
    files = shlex.join([".", *above])
    out.print_lines(
        f"  cd {root} && git add {files} && git commit -m 'Start the registry'\n"
        "  registry index\n  registry serve"
    )


def _known_address(root: Path, forges: list[str]) -> str:
    """The address from which CI installs the program: the setting, else the answer to a prompt, else ""."""
    from registry.load.settings import install_from_problem
    from registry.load.source import WorkTree

    known = WorkTree(root).settings.install_from
    if known or not forges or not sys.stdin.isatty():
        return known
    while True:
        answer = click.prompt(
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
        out.print(f"  {name} (exists, unchanged)", markup=False)
    if not address and any(name.endswith(".yml") for name in new):
        err.print(
            f"note: the CI files install this program from {PLACEHOLDER}, which does not exist. "
            "Replace it, or use --install-from ADDRESS@TAG.",
            markup=False,
        )
