"""`registry new`: creates a definition."""

import sys
from pathlib import Path

import click

from registry.cli.completers import complete_definitions, complete_kinds
from registry.cli.options import registry_option
from registry.cli.terminal import find_root, out, show_problems
from registry.model.characters import visible


@click.command("new")
@click.argument("kind", shell_complete=complete_kinds)
@click.argument("name", shell_complete=complete_definitions)
@registry_option
@click.option(
    "--exec",
    "executable",
    default="",
    show_default=False,
    metavar="PATH",
    help="Executable. It is started directly, without a shell.",
)
@click.option("--arg", "argument", multiple=True, metavar="TEXT", help="Argument; can be repeated.")
@click.option("--title", default="", show_default=False, metavar="TEXT", help="Short title.")
@click.option(
    "--application",
    default="",
    show_default=False,
    metavar="NAME",
    help="Application that the process belongs to.",
)
@click.option(
    "--process-type", default="", show_default=False, metavar="TYPE", help="Process type: single or service."
)
def command(
    kind: str,
    name: str,
    registry: Path | None,
    executable: str,
    argument: tuple[str, ...],
    title: str,
    application: str,
    process_type: str,
) -> None:
    """Create the file of a new definition.

    KIND is process_definition, application or a kind of this registry. NAME is the path below the folder of the kind,
    for example weather/qc. The file has comments that list further fields. On a terminal, the command asks for missing
    values.

    \b
    Examples:
      registry new process_definition weather/qc
      registry new process_definition text/upper --exec /usr/bin/tr --arg a-z --arg A-Z
    """
    from registry.errors import ProblemsError, UsageError, nearest
    from registry.files.atomic_write import create_files
    from registry.load.source import open_source
    from registry.model.problem import Severity, has_errors
    from registry.pipeline import check_source
    from registry.scaffold import Start, propose_definition

    root = find_root(registry)
    source = open_source(root)
    checked = check_source(source)
    if kind not in checked.kinds.by_name:
        raise UsageError(
            f"there is no kind `{kind}`",
            nearest(kind, checked.kinds.by_name) or f"the kinds are {', '.join(checked.kinds.by_name)}",
        )
    wanted = name.removeprefix(f"definitions/{kind}/").removesuffix(".yaml").strip("/")
    if not wanted or any(step in ("", ".", "..") or step.startswith(".") for step in wanted.split("/")):
        raise UsageError(
            f"{name!r} cannot be a name",
            "letters, digits and . _ - +, with / between folders, as in weather/qc",
        )
    if kind == "process_definition" and not executable and sys.stdin.isatty():
        executable = click.prompt("Executable (absolute path, or a bare name)")
        title = title or click.prompt(
            "Title", default=wanted.rsplit("/", 1)[-1].replace("-", " ").capitalize()
        )
        process_type = process_type or click.prompt("Process type, single or service", default="single")
        applications = [one.name for one in checked.loaded.definitions if one.kind == "application"]
        known = visible(", ".join(applications[:10]))
        if applications and not application:
            application = click.prompt(
                f"Application ({known}; empty: the default)", default="", show_default=False
            )
    elif kind == "process_definition" and not executable:
        raise UsageError(
            "--exec is missing", "registry new process_definition NAME --exec /path/to/executable"
        )
    start = Start(executable, argument, title, application, process_type)
    proposed = propose_definition(root, checked.kinds.by_name[kind], wanted, start)
    before = set(checked.problems)
    found = [problem for problem in check_source(proposed).problems if problem not in before]
    if has_errors(found):
        raise ProblemsError(
            [one for one in found if one.severity is Severity.ERROR],
            proposed.read,
            "nothing was written: the check would refuse it",
        )
    create_files(root, {proposed.path: proposed.data})
    out.print(f"Wrote {root / proposed.path}. Next: edit it, then `registry check`.", markup=False)
    if problems := [
        problem for problem in found if problem.span.path == proposed.path and problem.rule != "W202"
    ]:
        show_problems(problems, source.read)
