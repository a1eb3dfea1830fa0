"""`registry token`: the tokens of programs that write to a server."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.cli.accounts import entry_arguments, require_fitting, require_known, show_entries
from registry.cli.extras import require_extra
from registry.cli.options import Format, format_option, right_option
from registry.cli.rights import expiry_of, rights_of, rights_text
from registry.cli.terminal import err, out
from registry.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.writes.users import Rights, Token, User, Users
    from registry.writes.users_file import Changes

# Options of each action besides NAME and --users.
_OPTIONS = {
    "add": ("user", "expires", "right_words", "only"),
    "list": ("format_",),
    "remove": (),
}


@click.command("token")
@entry_arguments(_OPTIONS)
@click.option("--user", metavar="NAME", help="User that the token belongs to.")
@click.option(
    "--expires",
    metavar="TIME",
    help="When the token becomes invalid: a duration in hours, days or weeks (12h, 90d, 8w), or a date. "
    "Default: never.",
)
@right_option
@click.option(
    "--only",
    multiple=True,
    metavar="FOLDER",
    help="Folder that the token is limited to, for example weather/; can be repeated.",
)
@format_option
def command(
    action: str,
    name: str | None,
    users_path: Path,
    user: str | None,
    expires: str | None,
    right_words: tuple[str, ...],
    only: tuple[str, ...],
    format_: Format,
) -> None:
    """Manage the tokens of programs.

    With a token a program logs in to a server that accepts writes, for a user.

    `add` prints the token once, on standard output; the users file has its SHA-256 only. Without --right and --only the
    token has all rights of its user. It never has more, also if the user loses a right later.

    A program sends the token as `Authorization: Bearer TOKEN`, or as the password of Basic with any user name.

    Requires the extra `serve` of this package.

    \b
    Exit codes:
      0  done
      2  wrong use, or the users file is missing or invalid
      3  refused: the users file is in a git repository, or other users can access it

    \b
    Examples:
      registry token add ci --user alice --expires 90d --users /etc/registry/users.yaml
      registry token add weather-bot --user alice --only weather/ --users users.yaml
      registry token add dashboard --user alice --right read --users users.yaml
      registry token list --users users.yaml
      registry token remove ci --users users.yaml
    """
    require_extra("token", "serve")
    require_fitting(action, name, _OPTIONS[action])
    if action == "list" or name is None:
        _list(users_path, format_)
    elif action == "remove":
        _remove(users_path, name)
    else:
        if user is None:
            raise UsageError("`registry token add` needs --user", "the user that the token belongs to")
        _add(users_path, name, user, expires, (right_words, only))


def _add(
    path: Path,
    name: str,
    user: str,
    expires: str | None,
    rights: "tuple[Sequence[str], Sequence[str]]",
) -> None:
    from registry.writes.users import Token, document_of_token, new_token, require_valid_entry, sha256_of
    from registry.writes.users_file import edit_users_file

    text, given = new_token(), ""
    until = expiry_of(expires, datetime.now(UTC)) if expires is not None else None

    def plan(users: "Users") -> "Changes":
        nonlocal given
        require_known("user", user, users.users)
        if name in users.tokens:
            raise UsageError(f"there is a token {name} already", f"`registry token remove {name}` removes it")
        limited = _limited_rights(users.users[user], *rights)
        given = _rights_text(limited)
        entry = document_of_token(Token(name, user, sha256_of(text), until, limited))
        require_valid_entry("tokens", name, entry)
        return {("tokens", name): entry}

    edit_users_file(path, plan)
    err.print(f"Added the token {name} of {user}. Rights: {given}. It is not shown again:", markup=False)
    out.print(text, markup=False)


def _limited_rights(user: "User", words: "Sequence[str]", only: "Sequence[str]") -> "Rights | None":
    """Return the rights of a new token, or None for all rights of its user.

    Of the folders of `--only`, those for which the user has a right remain. Raises UsageError for a `--right`
    that the user does not have, and if no right remains: such a token would not do what it is for.
    """
    if not words and not only:
        return None
    found = rights_of(words, only, user.rights)
    refusals = _refusals(user, found)
    if words and refusals:
        raise UsageError(next(iter(refusals.values())), "a token cannot have more rights than its user")
    kept = {
        right: tuple(folder for folder in folders if (right, folder) not in refusals)
        for right, folders in found.items()
    }
    if not any(kept.values()):
        raise UsageError(
            f"{user.name} has no right for {' '.join(only)}", f"the rights are: {rights_text(user.rights)}"
        )
    return {right: folders for right, folders in kept.items() if folders}


def _refusals(user: "User", rights: "Rights") -> dict[tuple[str, str], str]:
    """Return why the user does not have some of these rights, by right and folder, weakest right first."""
    from registry.writes.users import RIGHTS, Principal, allowed

    return {
        (right, folder): decision.refusal
        for right in RIGHTS
        for folder in rights.get(right, ())
        if not (decision := allowed(Principal(user), right, folder.removeprefix("/")))
    }


def _remove(path: Path, name: str) -> None:
    from registry.writes.users_file import edit_users_file

    def plan(users: "Users") -> "Changes":
        require_known("token", name, users.tokens)
        return {("tokens", name): None}

    edit_users_file(path, plan)
    out.print(f"Removed the token {name}.", markup=False)


def _list(path: Path, format_: Format) -> None:
    from registry.writes.users import time_text
    from registry.writes.users_file import load_users

    now = datetime.now(UTC)

    def as_json(one: "Token") -> dict[str, Any]:
        rights = one.rights
        return {
            "name": one.name,
            "user": one.user,
            "expires": time_text(one.expires) if one.expires is not None else None,
            "is_expired": one.is_expired(now),
            "rights": {right: list(of) for right, of in rights.items()} if rights is not None else None,
        }

    def as_text(one: "Token") -> str:
        when = "never expires"
        if one.expires:
            when = f"{'expired' if one.is_expired(now) else 'expires'} {time_text(one.expires)}"
        return f"{one.user}  {_rights_text(one.rights)}  {when}"

    tokens = list(load_users(path).tokens.values())
    show_entries("token", tokens, format_, as_json=as_json, as_text=as_text)


def _rights_text(rights: "Rights | None") -> str:
    return rights_text(rights) if rights is not None else "all rights of the user"
