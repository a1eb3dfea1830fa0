"""Arguments of known programs that contain a password: `mysql -pVALUE`, `curl -u joe:VALUE`; pure."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from registry.credentials.tables import COMMAND_END, CURL_FLAGS, LOGIN_OPTIONS, PROGRAM, SECRET_OPTIONS, WORD

# Options that also take their value without a blank; for others (`-port`) that would be a different option.
_MAY_BE_ATTACHED = frozenset(("-p", "-u", "-U", "-w", "-P", "-k", "-a"))
_NEVER_ATTACHED = frozenset(
    (
        "openssl",
        "swaks",
        "docker",
        "podman",
        "buildah",
        "skopeo",
        "nerdctl",
        "crane",
        "helm",
        "oc",
        "az",
        "lftp",
        "rabbitmqadmin",
    )
)
_MOST_WORDS = 200
_PROGRAMS = frozenset((*SECRET_OPTIONS, *LOGIN_OPTIONS))


class SecretArgument(NamedTuple):
    """The location of a password in one argument of `program`: from `start` to `end`."""

    program: str
    start: int
    end: int

    @property
    def span(self) -> tuple[int, int]:
        """Start and end."""
        return self.start, self.end


def secret_arguments(items: Sequence[Any], program: str) -> dict[int, SecretArgument]:
    """Return the items of an argument list that contain a password, by index.

    `program` is the program started. A program may also be among the items: `sshpass -p x mysql -py`.
    """
    current = _basename(program)
    if current not in _PROGRAMS and _PROGRAMS.isdisjoint(
        [item[item.rfind("/") + 1 :] for item in items if type(item) is str]
    ):
        return {}  # the usual case
    found: dict[int, SecretArgument] = {}
    form = ""  # of the value that the option before this item takes
    logs_in = False  # `docker login -p x`: the same option has another meaning in other subcommands
    for place, item in enumerate(items):
        span = None
        if type(item) is not str:
            form = ""
        elif form:
            span, form = _span(item, 0, form), ""
        elif item[:1] == "-":
            options = SECRET_OPTIONS.get(current) or (LOGIN_OPTIONS.get(current) if logs_in else None) or {}
            form, span = _in_option(item, current, options)
        elif (name := _basename(item)) in _PROGRAMS:
            current, logs_in = name, False
        else:
            logs_in = logs_in or item == "login"
        if span is not None:
            found[place] = SecretArgument(current, *span)
    return found


def _basename(path: str) -> str:
    return path[path.rfind("/") + 1 :].removesuffix(".exe")


def _in_option(item: str, program: str, options: dict[str, str]) -> tuple[str, tuple[int, int] | None]:
    """Return the form of the value after an option ("" for none), or its location in the option itself."""
    form = options.get(item, "")
    if form:
        return ("" if form == "attached" else form), None
    name, has_sign, _ = item.partition("=")
    if has_sign and name in options and options[name] != "attached":
        return "", _span(item, len(name) + 1, options[name])
    if program == "curl" and (flags := CURL_FLAGS.match(item)):
        is_in_next_item = flags.end() == len(item)
        return ("user:password", None) if is_in_next_item else ("", _span(item, flags.end(), "user:password"))
    short = item[:2]
    is_attached = len(item) > 2 and short in _MAY_BE_ATTACHED and program not in _NEVER_ATTACHED
    if is_attached and short in options:
        return "", _span(item, 2, options[short])
    return "", None


def _span(item: str, start: int, form: str) -> tuple[int, int] | None:
    """Return the location of the password in an item from `start` on; None if there is none."""
    if form == "pass:":
        start = start + 5 if item.startswith("pass:", start) else len(item)
    elif form not in ("password", "attached"):
        sign = item.find(form.removeprefix("user")[0], start)
        start = sign + 1 if sign >= 0 else len(item)
    return (start, len(item)) if start < len(item) else None


def secrets_in_commands(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield passwords in shell commands: the program, start and end of each."""
    place = 0
    while found := PROGRAM.search(text, place):
        end = COMMAND_END.search(text, found.end())
        place = end.end() if end else len(text)
        words, spans = [], []
        for number, word in enumerate(WORD.finditer(text, found.end(), end.start() if end else len(text))):
            if number == _MOST_WORDS:
                place = word.start()
                break
            quoted = word[0][:1] in "\"'" and len(word[0]) > 1
            words.append(word[0][quoted : len(word[0]) - quoted])
            spans.append(word.start() + quoted)
        for number, argument in secret_arguments(words, found[0]).items():
            yield argument.program, spans[number] + argument.start, spans[number] + argument.end
