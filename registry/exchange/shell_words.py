"""Splits a line of shell into words, where the shell would start one program with them; pure.

Source: POSIX.1-2024, "Shell Command Language", sections 2.2 (quoting), 2.3 (tokens) and 2.9 (commands).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

_BLANKS = " \t\n"
_SINGLE = re.compile(r"'([^']*)'")
_REFERENCE = re.compile(r'"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?\?[^}"\\$`]*)\}"(?=[ \t\n]|\Z)')
_DOUBLE = re.compile(r'"((?:[^"\\$`]|\\.)*)"', re.DOTALL)
_PLAIN = re.compile(r"[^ \t\n'\"\\$`|&;<>()*?\[\]~{}!#]+|(?<=[^ \t\n])#|(?<=[^ \t\n=:])~")
_CD = re.compile(r"[ \t]*cd[ \t]+")
_AND = re.compile(r"[ \t]+&&[ \t]+")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
# The program env sets variables with other names, too.
_ENV_ASSIGNMENT = re.compile(r"[^=-][^=]*=", re.DOTALL)
_OF_THE_SHELL = """
. : break case cd continue do done elif else esac eval exec export fi for function if in readonly return set
shift source then time times trap ulimit umask unset until wait while
"""
# Words at the place of a program that are for the shell itself.
_NO_PROGRAMS = frozenset(_OF_THE_SHELL.split())


@dataclass(frozen=True, slots=True)
class ShellWord:
    """A word after quote removal. `unquoted` is the length of its start without quotes, and `reference` the
    name of the variable, if the word ends in `"${NAME}"`, which is not part of the text."""

    text: str
    unquoted: int
    reference: str = ""


@dataclass(frozen=True, slots=True)
class SimpleCommand:
    """One program: its words, its variables, and its folder. `references` have values of other variables."""

    words: tuple[str, ...]
    environment: dict[str, str]
    references: frozenset[str]
    cwd: str | None


def simple_command(line: str) -> SimpleCommand | None:
    """Return the program that a line starts, or None if the line needs a shell."""
    folder = None
    if start := _CD.match(line):
        word, end = _word(line, start.end())
        then = _AND.match(line, end)
        if word is None or then is None or word.reference or word.text[:1] in ("", "-"):
            return None
        folder, line = word.text, line[then.end() :]
    words = _words(line)
    return _command(words, folder) if words is not None else None


def _command(words: Sequence[ShellWord], folder: str | None) -> SimpleCommand | None:
    assignments = [*takewhile(_is_assignment, words)]
    rest = words[len(assignments) :]
    is_replaced = bool(rest) and _is(rest[0], "exec")
    if is_replaced:
        rest = rest[1:]
    if rest and _is(rest[0], "env"):
        more = [*takewhile(lambda word: _ENV_ASSIGNMENT.match(word.text), rest[1:])]
        assignments += more
        rest = rest[1 + len(more) :] if more else rest
        is_replaced |= bool(more)
    is_program = rest and rest[0].text and not rest[0].text.startswith("-")
    is_for_shell = not is_program or (rest[0].text in _NO_PROGRAMS and not is_replaced)
    if is_for_shell or any(word.reference for word in rest):
        return None
    environment: dict[str, str] = {}
    references = set()
    for word in assignments:
        name, _, value = word.text.partition("=")
        if word.reference and value:
            return None
        environment[name] = f"${{{word.reference}}}" if word.reference else value
        references.discard(name)
        if word.reference:
            references.add(name)
    return SimpleCommand(tuple(word.text for word in rest), environment, frozenset(references), folder)


def _is_assignment(word: ShellWord) -> bool:
    match = _ASSIGNMENT.match(word.text)
    return match is not None and match.end() <= word.unquoted


def _is(word: ShellWord, text: str) -> bool:
    return word.text == text and word.unquoted == len(text)


def _words(line: str) -> list[ShellWord] | None:
    """Return the words of a simple command, or None if the shell does more than remove quotes."""
    words, at = [], 0
    while at < len(line):
        if line[at] in _BLANKS:
            at += 1
            continue
        word, at = _word(line, at)
        if word is None:
            return None
        words.append(word)
    return words


def _word(line: str, at: int) -> tuple[ShellWord | None, int]:
    text, unquoted, is_quoted = "", 0, False
    while at < len(line) and line[at] not in _BLANKS:
        if plain := _PLAIN.match(line, at):
            text += plain[0]
            at = plain.end()
            unquoted = unquoted if is_quoted else len(text)
            continue
        is_quoted = True
        if line[at] == "\\" and at + 1 < len(line) and line[at + 1] != "\n":
            text += line[at + 1]
            at += 2
        elif single := _SINGLE.match(line, at):
            text += single[1]
            at = single.end()
        elif reference := _REFERENCE.match(line, at):
            return ShellWord(text, unquoted, reference[1]), reference.end()
        elif double := _DOUBLE.match(line, at):
            text += re.sub(r"\\([\\\"$`])|\\\n", lambda match: match[1] or "", double[1])
            at = double.end()
        else:
            return None, at
    return ShellWord(text, unquoted), at
