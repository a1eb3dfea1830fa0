"""`registry user`: the users of a server that accepts writes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.cli.accounts import entry_arguments, require_fitting, require_known, show_entries
from registry.cli.extras import require_extra
from registry.cli.options import Format, format_option, right_option
from registry.cli.rights import rights_of, rights_text
from registry.cli.terminal import counted, err, out
from registry.errors import UsageError

if TYPE_CHECKING:
    from registry.writes.users import User, Users
    from registry.writes.users_file import Changes

# Options of each action besides NAME and --users.
_OPTIONS = {
    "add": ("email", "full_name", "right_words", "only", "password_stdin", "no_password"),
    "password": ("password_stdin",),
    "list": ("format_",),
    "remove": (),
}
_DEFAULT_RIGHTS = {"read": ("/",), "write": ("/",)}
# NIST SP 800-63B, section 5.1.1.2.
_SHORTEST_RECOMMENDED = 8
# More than the longest password in UTF-8, so that a longer one is detected.
_MOST_STDIN_BYTES = 8 * 1024


@click.command("user")
@entry_arguments(_OPTIONS)
@click.option("--email", metavar="ADDRESS", help="E-mail address: the author of the user's commits.")
@click.option("--name", "full_name", metavar="TEXT", help="Full name, for commits. Default: NAME.")
@right_option
@click.option(
    "--only",
    multiple=True,
    metavar="FOLDER",
    help="Folder of the rights that have none of their own, for example weather/; can be repeated.",
)
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input: one line of UTF-8."
)
@click.option(
    "--no-password", is_flag=True, help="Add a user who logs in with tokens or through a proxy only."
)
@format_option
def command(
    action: str,
    name: str | None,
    users_path: Path,
    email: str | None,
    full_name: str | None,
    right_words: tuple[str, ...],
    only: tuple[str, ...],
    password_stdin: bool,
    no_password: bool,
    format_: Format,
) -> None:
    """Manage the users of a server that accepts writes.

    `add` creates the users file if there is none. Without --right, a user may read and write. The right `break` allows
    changes that `fail_on` of the registry refuses. `password` sets a new password. `remove` also removes the tokens of
    the user.

    The users file is a YAML file that only its owner can read (mode 0600). It contains hashes of passwords. A running
    server notices each change. The password is asked for twice on the terminal; it is never part of the command line.

    Requires the extra `serve` of this package.

    \b
    Exit codes:
      0  done
      2  wrong use, or the users file is missing or invalid
      3  refused: the users file is in a git repository, or other users can access it

    \b
    Examples:
      registry user add alice --email alice@example.org --users /etc/registry/users.yaml
      registry user add bob --email bob@example.org --only weather/ --users users.yaml
      registry user add carol --email carol@example.org --right read --right write:lab/ --users users.yaml
      registry user password alice --password-stdin --users users.yaml < password.txt
      registry user list --users users.yaml
      registry user remove bob --users users.yaml
    """
    require_extra("user", "serve")
    require_fitting(action, name, _OPTIONS[action])
    if action == "list" or name is None:
        _list(users_path, format_)
    elif action == "remove":
        _remove(users_path, name)
    elif action == "password":
        _set_password(users_path, name, from_stdin=password_stdin)
    else:
        if email is None:
            raise UsageError(
                "`registry user add` needs --email", "it becomes the author of the user's commits"
            )
        if password_stdin and no_password:
            raise UsageError("--password-stdin and --no-password exclude each other", "give one of them")
        from registry.writes.users import User

        rights = rights_of(right_words, only, _DEFAULT_RIGHTS)
        user = User(name, email, full_name or "", None, rights)
        _add(users_path, user, asks=not no_password, from_stdin=password_stdin)


def _add(path: Path, user: "User", *, asks: bool, from_stdin: bool) -> None:
    from dataclasses import replace

    from registry.writes.users import document_of_user, require_valid_entry
    from registry.writes.users_file import edit_users_file, locate_users_file

    def require_new(users: "Users") -> "Changes":
        if user.name in users.users:
            raise UsageError(
                f"there is a user {user.name} already",
                f"`registry user password {user.name}` sets a new password; edit the file for other changes",
            )
        return {}

    # All checks come before the prompt for the password, and again when the file is changed.
    require_valid_entry("users", user.name, document_of_user(user))
    is_new = not locate_users_file(path).exists()
    edit_users_file(path, require_new, creates=True)
    if asks:
        user = replace(user, password=_password_hash(from_stdin=from_stdin))
    entry = document_of_user(user)
    edit_users_file(path, lambda users: {**require_new(users), ("users", user.name): entry}, creates=True)
    if is_new:
        out.print(f"Created {path} (mode 0600).", markup=False)
    out.print(f"Added the user {user.name}. Rights: {rights_text(user.rights)}.", markup=False)


def _set_password(path: Path, name: str, *, from_stdin: bool) -> None:
    from registry.writes.users_file import edit_users_file, load_users

    require_known("user", name, load_users(path).users)
    hashed = _password_hash(from_stdin=from_stdin)

    def plan(users: "Users") -> "Changes":
        require_known("user", name, users.users)
        return {("users", name, "password"): hashed}

    edit_users_file(path, plan)
    out.print(f"Set the password of {name}.", markup=False)


def _remove(path: Path, name: str) -> None:
    from registry.writes.users_file import edit_users_file

    def plan(users: "Users") -> "Changes":
        require_known("user", name, users.users)
        return {("users", name): None, **{("tokens", token): None for token in _tokens_of(users, name)}}

    tokens = _tokens_of(edit_users_file(path, plan), name)
    also = f" and {counted(len(tokens), 'token')}: {', '.join(tokens)}" if tokens else ""
    out.print(f"Removed the user {name}{also}.", markup=False)


def _tokens_of(users: "Users", name: str) -> list[str]:
    return [token.name for token in users.tokens.values() if token.user == name]


def _list(path: Path, format_: Format) -> None:
    from registry.writes.users_file import load_users

    users = load_users(path)

    def as_json(one: "User") -> dict[str, Any]:
        return {
            "name": one.name,
            "email": one.email,
            "full_name": one.full_name,
            "has_password": one.password is not None,
            "rights": {right: list(folders) for right, folders in one.rights.items()},
            "tokens": _tokens_of(users, one.name),
        }

    def as_text(one: "User") -> str:
        tokens = len(_tokens_of(users, one.name))
        notes = [counted(tokens, "token")] if tokens else []
        if one.password is None:
            notes.append("no password")
        more = f"  ({', '.join(notes)})" if notes else ""
        return f"{one.email}  {rights_text(one.rights)}{more}"

    show_entries("user", list(users.users.values()), format_, as_json=as_json, as_text=as_text)


def _password_hash(*, from_stdin: bool) -> str:
    from registry.writes.passwords import MAX_LENGTH, Passwords
    from registry.writes.users import looks_like_token

    password = _password_of_stdin() if from_stdin else _asked_password()
    if not password:
        raise UsageError("the password is empty", "use --no-password for a user without one")
    if len(password) > MAX_LENGTH:
        raise UsageError(f"the password has more than {MAX_LENGTH:,} characters", "choose a shorter one")
    if looks_like_token(password):
        raise UsageError("the password has the form of a token", "`registry token add` makes tokens")
    if len(password) < _SHORTEST_RECOMMENDED:
        err.print(f"warning: the password has fewer than {_SHORTEST_RECOMMENDED} characters", markup=False)
    return Passwords().hash(password)


def _password_of_stdin() -> str:
    data = sys.stdin.buffer.read(_MOST_STDIN_BYTES)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UsageError("the password on standard input is not UTF-8", "save it as UTF-8") from error
    line = text.removesuffix("\n").removesuffix("\r")
    if any(char in line for char in "\r\n\0"):
        raise UsageError("standard input has more than one line", "the password is one line")
    return line


def _asked_password() -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask for the password", "use --password-stdin or --no-password"
        )
    answer: str = click.prompt(
        "Password", hide_input=True, confirmation_prompt="Repeat the password", err=True
    )
    return answer
