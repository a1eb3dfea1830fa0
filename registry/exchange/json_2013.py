"""JSON of the 2013 service: single definitions in files, and the lists that the service returned.

Hand-written files have trailing commas and comments, so they are read as JSON5. An example in the service's
manual lacks a closing quote and a colon. These two repairs are made on request only.
"""

import difflib
import json
import re
from collections.abc import Iterable
from pathlib import PurePath
from string import whitespace
from typing import Any

from registry.errors import UsageError
from registry.exchange.imported_process import title_from, with_secrets
from registry.exchange.importer import (
    Imported,
    ImportedText,
    Importer,
    ImportOptions,
    name_or_none,
    suggested_name,
)
from registry.load.foreign_json import check_limits, read_json
from registry.load.yaml import MAX_DEPTH
from registry.model.values import map_of, text_of

# A definition file has one more level, `definition`.
_DEEPEST = MAX_DEPTH - 1
_KIND = "process_definition"
_KIND_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
# Keys of objects in the service's lists that the registry generates itself.
_MADE_ELSEWHERE = ("id", "resource_uri", "kind", "name", "by_name_uri", "history_uri", "revision")


def read_2013(file_name: str, text: str, options: ImportOptions) -> ImportedText:
    """Return every definition in one file. Raises UsageError when it cannot be imported."""
    notes: list[str] = []
    data = _parse(file_name, text, options, notes)
    stem = suggested_name(PurePath(file_name).stem)
    if not isinstance(data, dict):
        raise UsageError(
            f"{file_name} does not contain a JSON object",
            "a file contains one definition, or a list from the 2013 service",
        )
    if isinstance(data.get("objects"), list):
        listed = [
            _imported(f"{file_name}, object {place}", _name_of(item, place), item, options, notes)
            for place, item in enumerate(data["objects"], 1)
        ]
        return ImportedText(tuple(listed))
    return ImportedText((_imported(file_name, stem, data, options, notes),))


def _parse(file_name: str, text: str, options: ImportOptions, notes: list[str]) -> Any:
    try:
        return _strict_or_json5(text, notes)
    except UsageError as error:
        raise UsageError(f"{file_name}: {error.message}", error.hint) from error
    except ValueError as error:
        repaired = _repaired(text)
        why = _reason(error)
        if repaired == text:
            raise UsageError(f"{file_name}{why}") from error
        difference = list(
            difflib.unified_diff(
                text.splitlines(), repaired.splitlines(), "original", "repaired", lineterm="", n=0
            )
        )
        try:
            data = _strict_or_json5(repaired, notes)
        except ValueError as again:
            raise UsageError(f"{file_name}{why}", "the known repairs do not fix it:", difference) from again
        if not options.repair:
            raise UsageError(f"{file_name}{why}", "--repair would make this change:", difference) from error
        notes.append("\n".join(["repaired:", *difference]))
        return data


def _strict_or_json5(text: str, notes: list[str]) -> Any:
    try:
        return read_json(text, deepest=_DEEPEST, pairs=unique_keys, constant=no_constant)
    except json.JSONDecodeError:
        import json5

        try:
            data = json5.loads(text, object_pairs_hook=unique_keys, parse_constant=no_constant)
        except RecursionError as error:
            raise ValueError(f"nested deeper than {_DEEPEST} levels") from error
        check_limits(data, _DEEPEST)
        notes.append("read as JSON5: it has trailing commas, comments or single quotes")
        return data


def unique_keys(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; a hook of `json.loads`. Raises UsageError for a key that it has twice."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise UsageError(
                f"duplicate key `{key}` in an object",
                "keep one of the two: it is undefined which one applies",
            )
        found[key] = value
    return found


def no_constant(name: str) -> Any:
    """Raise UsageError for NaN and infinite numbers; a hook of `json.loads`."""
    raise UsageError(f"`{name}` is not a valid JSON number", "write a number")


def _reason(error: ValueError) -> str:
    """Return `:line:column: message`, from the message of the JSON5 library."""
    found = re.match(r"<string>:(\d+) ", str(error))
    if not found:
        return f": {error}".replace("Empty strings are not legal JSON5", "the file is empty")
    words, has_column, column = str(error)[found.end() :].rpartition(" at column ")
    if not (has_column and column.isdecimal()):
        words, column = str(error)[found.end() :], "1"
    words = words.replace("Unexpected", "unexpected").replace('"\n"', "end of line")
    return f":{found[1]}:{column}: {words}"


def _repaired(text: str) -> str:
    """Close a string before `}` or `,` at a line end, and add a colon between a key and `{`."""
    lines = []
    for line in text.splitlines(keepends=True):
        is_open = len(re.findall(r'(?<!\\)"', line)) % 2 == 1
        closed = _closed(line) if is_open else line
        lines.append(re.sub(r'((?:^|[{,])\s*"[^"\n]*")(\s*)\{', r"\1:\2{", closed))
    return "".join(lines)


def _closed(line: str) -> str:
    """Return the line with a quote before the brackets and commas at its end, if there are any."""
    kept = line.rstrip(f"}}],{whitespace}")
    tail = line[len(kept) :]
    return f'{kept}"{tail}' if tail.strip() and kept and not kept.endswith('"') else line


def _name_of(item: Any, place: int) -> str:
    item = map_of(item)
    # Answers of this registry have names.
    known = name_or_none(text_of(item.get("name"))) if "resource_uri" in item else None
    if known is not None:
        return known
    inside = map_of(item.get("definition"))
    base = inside.get("process_name") or PurePath(str(inside.get("exec", ""))).stem or "process"
    return f"{suggested_name(str(base))}-{item.get('id', place)}"


def _imported(
    where: str, name: str, item: Any, options: ImportOptions, file_notes: Iterable[str]
) -> Imported:
    if not isinstance(item, dict):
        raise UsageError(f"{where} is not a JSON object")
    document: dict[str, Any] = {}
    if isinstance(item.get("definition"), dict):
        number = item.get("id")
        if type(number) is int and number > 0:
            document["id"] = number
        document |= {key: value for key, value in item.items() if key not in (*_MADE_ELSEWHERE, "definition")}
        inside = dict(item["definition"])
    else:
        inside = dict(item)
    notes = list(file_notes)
    inside = _with_argv(where, inside, notes)
    _environment(inside, options, notes)
    for side in ("input", "output"):
        _adapter(inside, side, options, notes)
    document.setdefault("title", title_from(name))
    document["definition"] = inside
    kind = text_of(item.get("kind")) if "resource_uri" in item else ""
    return Imported(name, document, tuple(notes), kind=kind if _KIND_NAME.match(kind) else _KIND)


def _with_argv(where: str, inside: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    if "args" not in inside:
        return inside
    if "argv" in inside:
        raise UsageError(f"{where} has both `args` and `argv`", "keep `argv`")
    notes.append("`args` is now `argv`")
    return {"argv" if key == "args" else key: value for key, value in inside.items()}


def _environment(inside: dict[str, Any], options: ImportOptions, notes: list[str]) -> None:
    environment = inside.get("environment")
    if not isinstance(environment, dict):
        return
    inside["environment"], note = with_secrets(environment, options)
    if note:
        notes.append(note)


def _adapter(inside: dict[str, Any], side: str, options: ImportOptions, notes: list[str]) -> None:
    adapter = inside.get(f"{side}_adapter")
    if not isinstance(adapter, dict) or not options.modern:
        return
    old, new = f"{side}_parameters", f"{side}_params"
    if old in adapter and new not in adapter:
        adapter = {new if key == old else key: value for key, value in adapter.items()}
        notes.append(f"`{old}` is now `{new}`")
    params = adapter.get(new)
    if (
        adapter.get(f"{side}_type") == "file"
        and isinstance(params, dict)
        and "file" in params
        and "file_path" not in params
    ):
        adapter[new] = {"file_path" if key == "file" else key: value for key, value in params.items()}
        notes.append("`file` is now `file_path`")
    inside[f"{side}_adapter"] = adapter


IMPORTER = Importer(
    "json-2013",
    "JSON of the 2013 service",
    ("*.json", "*.json5"),
    read_2013,
    gives=(
        "a single definition, also with trailing commas, comments and single quotes",
        "the definitions of a list with their ids, from a file or from an address with all its pages",
        "names and kinds, if the list is of a registry of this program",
        "the login from the user in the address and the variable `REGISTRY_IMPORT_PASSWORD`",
    ),
    refuses=(
        "syntax errors, unless `--repair` fixes them",
        "pages and redirects of another host, and lists of more than 256 MiB",
    ),
)
