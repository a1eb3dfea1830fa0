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

    from registry.load.kinds import Kind, Kinds
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
    from registry.errors import UsageError
    from registry.load.source import open_source
    from registry.pipeline import check_source
    from registry.scaffold import Start, create_definition

    if kind.startswith("-") or name.startswith("-"):
        raise UsageError("the kind and the name come first", "registry new KIND NAME --option VALUE")
    root = find_root(registry)
    source = open_source(root)
    checked = check_source(source)
    found = _kind_called(kind, checked.kinds)
    wanted = _name_in(name, found)
    values = _options(context.args, found.traits.new_options)
    missing = [one for one in found.traits.new_options if one.is_required and not values.get(one.key)]
    if missing:
        if not sys.stdin.isatty():
            raise UsageError(
                f"--{missing[0].name} is missing",
                f"registry new {kind} NAME --{missing[0].name} {missing[0].key.upper()}",
            )
        default = wanted.rsplit("/", 1)[-1].replace("-", " ").capitalize()
        title = title or click.prompt("Title", default=default)
        values.update(_answers(checked, found, values))
    created = create_definition(root, found, wanted, Start(title, values), checked)
    out.print(f"Wrote {root / created.path}. Next: edit it, then `registry check`.", markup=False)
    # The file has a comment that asks for owners, so W202 (missing owners) would be no news.
    if problems := [problem for problem in created.problems if problem.rule != "W202"]:
        show_problems(problems, source.read)


def _kind_called(name: str, kinds: "Kinds") -> "Kind":
    """Return the kind. Raises UsageError if there is none, or the name cannot be that of a kind."""
    from registry.errors import UsageError
    from registry.model.addresses import RESERVED_KINDS

    if name in RESERVED_KINDS:
        raise UsageError(
            f"`{name}` cannot be the name of a kind: it is reserved",
            f"the kinds are {', '.join(kinds.by_name)}",
        )
    return kinds.named(name)


def _name_in(words: str, kind: "Kind") -> str:
    """Return the name in the argument, which may be the path of the file: a shell completes paths.

    Raises UsageError for a name that cannot be the path of a file below the folder of the kind.
    """
    from registry.errors import UsageError

    name = words.removeprefix(f"definitions/{kind.name}/").removesuffix(".yaml").strip("/")
    if not name or any(not step or step.startswith(".") for step in name.split("/")):
        raise UsageError(
            f"{words!r} is not a valid name",
            "use letters, digits and . _ - +, and / between folders, for example weather/qc",
        )
    return name


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
    checked: "Checked", kind: "Kind", given: "Mapping[str, str | list[str]]"
) -> "Iterator[tuple[str, str]]":
    """Yield key and value of each option that was not given, from prompts."""
    targets = {one.pointer: one.kind for one in kind.traits.references}
    for one in kind.traits.new_options:
        if not one.prompt or given.get(one.key):
            continue
        target = targets.get(f"/definition/{one.key}")
        names = [other.name for other in checked.loaded.definitions if other.kind == target]
        if target is not None and not names:
            continue  # a reference to a kind without definitions has no valid answer
        known = f" ({visible(', '.join(names[:10]))}; empty: the default)" if names else ""
        default = None if one.is_required else one.default
        yield one.key, click.prompt(f"{one.prompt}{known}", default=default, show_default=bool(default))
