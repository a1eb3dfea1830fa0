"""`registry new`: a new definition."""

import sys
from typing import Annotated

import typer

from registry.cli.terminal import RegistryOption, find_root, out, show_problems
from registry.model.characters import visible


def command(
    kind: Annotated[
        str, typer.Argument(help="The kind: `process_definition`, `application`, or one of your own.")
    ],
    name: Annotated[
        str, typer.Argument(help="Its name: the path below the kind's folder, as in `weather/qc`.")
    ],
    registry: RegistryOption = None,
    executable: Annotated[
        str, typer.Option("--exec", help="The executable, started directly, without a shell.")
    ] = "",
    argument: Annotated[
        list[str] | None, typer.Option("--arg", help="One argument; may be given several times.")
    ] = None,
    title: Annotated[str, typer.Option("--title", help="A short name for people.")] = "",
    application: Annotated[
        str, typer.Option("--application", help="Name of the application it runs in.")
    ] = "",
    process_type: Annotated[str, typer.Option("--process-type", help="single or service.")] = "",
) -> None:
    """Write the file of a new definition, with comments that say what else there is. Asks for what was not given.

    Examples: `registry new process_definition weather/qc` ·
    `registry new process_definition text/upper --exec /usr/bin/tr --arg a-z --arg A-Z`
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
        executable = typer.prompt("Executable (absolute path, or a bare name)")
        title = title or typer.prompt(
            "Title", default=wanted.rsplit("/", 1)[-1].replace("-", " ").capitalize()
        )
        process_type = process_type or typer.prompt("Process type, single or service", default="single")
        applications = [one.name for one in checked.loaded.definitions if one.kind == "application"]
        known = visible(", ".join(applications[:10]))
        if applications and not application:
            application = typer.prompt(
                f"Application ({known}; empty: the default)", default="", show_default=False
            )
    elif kind == "process_definition" and not executable:
        raise UsageError(
            "--exec is missing", "registry new process_definition NAME --exec /path/to/executable"
        )
    start = Start(executable, tuple(argument or ()), title, application, process_type)
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
