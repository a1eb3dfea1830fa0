"""Entries of the users file on the command line: what `registry user` and `registry token` share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import click
from click.core import ParameterSource

from registry.cli.options import Command, Format, users_option
from registry.cli.terminal import out, write_json
from registry.errors import UsageError, nearest


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=_Named)
# Options that every action takes.
_COMMON = frozenset({"action", "name", "users_path"})


def require_fitting(action: str, name: str | None, options: Iterable[str]) -> None:
    """Raise UsageError if the name is missing or too much, or an option does not belong to the action.

    `options` are the parameters of this action besides the common ones.
    """
    context = click.get_current_context()
    command = f"{context.command_path} {action}"
    if action == "list" and name is not None:
        raise UsageError(f"`{command}` takes no name", f"see `{context.command_path} --help`")
    if action != "list" and name is None:
        raise UsageError(f"`{command}` needs a name", f"see `{context.command_path} --help`")
    for parameter in context.command.params:
        is_given = context.get_parameter_source(parameter.name or "") is not ParameterSource.DEFAULT
        if is_given and parameter.name not in {*_COMMON, *options}:
            raise UsageError(
                f"`{command}` does not take {parameter.opts[0]}", f"see `{context.command_path} --help`"
            )


def entry_arguments(actions: Iterable[str]) -> Callable[[Command], Command]:
    """The arguments `action` (one of these) and `name`, and the option for the users file."""

    def decorate(command: Command) -> Command:
        with_name = click.argument("name", required=False)(users_option(command))
        return click.argument("action", type=click.Choice([*actions]))(with_name)

    return decorate


def require_known(what: str, name: str, entries: Mapping[str, object]) -> None:
    """Raise UsageError if there is no entry with this name. `what` is "user" or "token"."""
    if name not in entries:
        raise UsageError(f"there is no {what} {name}", nearest(name, entries))


def show_entries(
    what: str,
    entries: Sequence[Entry],
    format_: Format,
    *,
    as_json: Callable[[Entry], dict[str, Any]],
    as_text: Callable[[Entry], str],
) -> None:
    """Print the entries: one JSON object, or one line for each with its name and then `as_text`."""
    if format_ == "json":
        write_json({f"{what}s": [as_json(one) for one in entries]})
        return
    width = max((len(one.name) for one in entries), default=0)
    for one in entries:
        out.print(f"{one.name:<{width}}  {as_text(one)}", markup=False)
    if not entries:
        out.print(f"No {what}s yet: `registry {what} add` adds them.")
