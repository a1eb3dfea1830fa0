"""`registry new`: creates a definition."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.completers import complete_definitions, complete_kinds
from registry.cli.options import registry_option
from registry.cli.terminal import find_root, out, show_problems
from registry.model.characters import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from registry.load.x_registry import NewOption
    from registry.pipeline import Checked

# The schema of the kind, which is read later, names further options.
_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}


@click.command("new", context_settings=_SETTINGS)
@click.argument("kind", shell_complete=complete_kinds)
@click.argument("name", shell_complete=complete_definitions)
@registry_option
@click.option("--title", default="", show_default=False, metavar="TEXT", help="Short title.")
@click.pass_context
def command(context: click.Context, kind: str, name: str, registry: Path | None, title: str) -> None:
    """Create the file of a new definition.

    KIND is process_definition, application or a kind of this registry. NAME is the path below the folder of the kind,
    for example weather/qc. The file has comments that list further fields. On a terminal, the command asks for missing
    values. The schema of a kind names further options: those of process_definition are --exec, --arg (can be repeated),
    --process-type and --application.

    \b
    Examples:
      registry new process_definition weather/qc
      registry new process_definition text/upper --exec /usr/bin/tr --arg a-z --arg A-Z
    """
    from registry.errors import ProblemsError, UsageError, nearest
    from registry.files.atomic_write import create_files
    from registry.load.source import open_source
    from registry.model.addresses import RESERVED_KINDS
    from registry.model.problem import Severity, has_errors
    from registry.pipeline import check_source
    from registry.scaffold import Start, propose_definition

    if kind.startswith("-") or name.startswith("-"):
        raise UsageError("the kind and the name come first", "registry new KIND NAME --option VALUE")
    root = find_root(registry)
    source = open_source(root)
    checked = check_source(source)
    if kind in RESERVED_KINDS:
        raise UsageError(
            f"`{kind}` cannot be the name of a kind: it is reserved",
            f"the kinds are {', '.join(checked.kinds.by_name)}",
        )
    if kind not in checked.kinds.by_name:
        raise UsageError(
            f"there is no kind `{kind}`",
            nearest(kind, checked.kinds.by_name) or f"the kinds are {', '.join(checked.kinds.by_name)}",
        )
    wanted = name.removeprefix(f"definitions/{kind}/").removesuffix(".yaml").strip("/")
    if not wanted or any(step in ("", ".", "..") or step.startswith(".") for step in wanted.split("/")):
        raise UsageError(
            f"{name!r} is not a valid name",
            "use letters, digits and . _ - +, and / between folders, for example weather/qc",
        )
    traits = checked.kinds.by_name[kind].traits
    values = _options(context.args, traits.new_options)
    if missing := [one for one in traits.new_options if one.is_required and not values.get(one.key)]:
        if not sys.stdin.isatty():
            raise UsageError(
                f"--{missing[0].name} is missing",
                f"registry new {kind} NAME --{missing[0].name} {missing[0].key.upper()}",
            )
        default = wanted.rsplit("/", 1)[-1].replace("-", " ").capitalize()
        title = title or click.prompt("Title", default=default)
        values.update(_answers(checked, kind, values))
    start = Start(title, values)
    proposed = propose_definition(root, checked.kinds.by_name[kind], wanted, start)
    before = set(checked.problems)
    found = [problem for problem in check_source(proposed).problems if problem not in before]
    if has_errors(found):
        raise ProblemsError(
            [one for one in found if one.severity is Severity.ERROR],
            proposed.read,
            "nothing was written: the new definition would have errors",
        )
    create_files(root, {proposed.path: proposed.data})
    out.print(f"Wrote {root / proposed.path}. Next: edit it, then `registry check`.", markup=False)
    if problems := [
        problem for problem in found if problem.span.path == proposed.path and problem.rule != "W202"
    ]:
        show_problems(problems, source.read)


def _options(arguments: list[str], options: "Sequence[NewOption]") -> "dict[str, str | list[str]]":
    """The values of the kind's options on the command line, by key. Raises UsageError for other arguments."""
    from registry.errors import UsageError, nearest

    known = {f"--{one.name}": one for one in options}
    values: dict[str, str | list[str]] = {}
    waiting = iter(arguments)
    for argument in waiting:
        name, is_joined, value = argument.partition("=")
        option = known.get(name)
        if option is None:
            hint = nearest(name, known) or (f"the options are {', '.join(known)}" if known else "")
            raise UsageError(f"no such option: {name}", hint)
        if not is_joined:
            found = next(waiting, None)
            if found is None:
                raise UsageError(f"{name} needs a value")
            value = found
        if option.is_list:
            values[option.key] = [*values.get(option.key, ()), value]
        else:
            values[option.key] = value
    return values


def _answers(
    checked: "Checked", kind: str, given: "Mapping[str, str | list[str]]"
) -> "Iterator[tuple[str, str]]":
    """Yield key and value of each option that was not given, from prompts."""
    traits = checked.kinds.by_name[kind].traits
    targets = {one.pointer: one.kind for one in traits.references}
    for one in traits.new_options:
        if not one.prompt or given.get(one.key):
            continue
        target = targets.get(f"/definition/{one.key}")
        names = [other.name for other in checked.loaded.definitions if other.kind == target]
        if target is not None and not names:
            continue
        known = f" ({visible(', '.join(names[:10]))}; empty: the default)" if names else ""
        default = None if one.is_required else one.default
        yield one.key, click.prompt(f"{one.prompt}{known}", default=default, show_default=bool(default))
