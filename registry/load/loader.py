"""Source and kinds to definitions with positions, and the problems met on the way."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Protocol

from registry.errors import nearest
from registry.git import Oversize
from registry.load import yaml
from registry.load.kinds import Kind, Kinds
from registry.load.source import EntryType, Source, blob_id
from registry.model.definition import (
    DEFINITIONS_FOLDER,
    LEDGER_PATH,
    SAMPLES_FOLDER,
    SUFFIX,
    Definition,
    id_of,
    kind_and_name,
    summary_of,
)
from registry.model.problem import Problem, Severity, Span

TEMPLATES_FOLDER = "site_templates"
MAX_SAMPLE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Loaded:
    """All definitions of a source, in order of kind and name; `unreadable` are the paths that gave none.

    `elsewhere` are paths of definitions that were not asked for: they are there, and that is all that is known.
    `samples` says of files that examples name what is wrong with them, if anything.
    """

    definitions: tuple[Definition, ...]
    problems: tuple[Problem, ...]
    unreadable: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    samples: Mapping[str, str] = field(default_factory=dict)


Recalled = tuple[Definition, tuple[Problem, ...]]
"""A definition that was read before, and what reading it found."""


class KnownDefinitions(Protocol):
    """Definitions that were read before."""

    def recall(self, source: Source) -> Mapping[str, Recalled]:
        """Those of the same kinds that are in `source` as they were, by path."""

    def find(self, source: Source, paths: Sequence[str]) -> Mapping[str, Recalled]:
        """Those at these paths, which are going to be read otherwise, that are known in another way."""

    def learn(self, definition: Definition, problems: tuple[Problem, ...]) -> Definition:
        """Remember one that was just read; the same, its document perhaps elsewhere."""


def load_definitions(
    source: Source, kinds: Kinds, only: Container[str] | None = None, known: KnownDefinitions | None = None
) -> Loaded:
    """Read every definition of `source`, or those whose paths are in `only`; those that are `known` are not read again.

    A file that cannot be read is a problem and hides no other.
    """
    problems: list[Problem] = []
    recalled = known.recall(source) if known is not None and only is None else {}
    wanted = _wanted(source, kinds, problems, recalled)
    elsewhere = frozenset() if only is None else frozenset(path for path in wanted if path not in only)
    paths = [path for path in wanted if path not in elsewhere]
    found = known.find(source, paths) if known is not None and paths else {}
    definitions: list[Definition] = []
    for definition, found_problems in (*recalled.values(), *found.values()):
        definitions.append(definition)
        if found_problems:
            problems.extend(found_problems)
    like = source.commit if known is not None and len(found) < len(paths) else None
    unreadable = set()
    for path, data in source.read_many([path for path in paths if path not in found]):
        kind, name = wanted[path]
        read, found_problems = _read(path, kinds.by_name[kind], name, data)
        problems.extend(found_problems)
        if read is None:
            unreadable.add(path)
            continue
        if known is not None:
            # Only here: `registry check` asks for no blob ids, and works without git.
            read = known.learn(read._replace(blob=blob_id(read.raw, like)), found_problems)
        definitions.append(read)
    ordered = _in_order(definitions, kinds)
    return Loaded(
        tuple(ordered), tuple(problems), frozenset(unreadable), elsewhere, _samples(source, ordered)
    )


def _in_order(definitions: Iterable[Definition], kinds: Kinds) -> list[Definition]:
    """By kind and name, names as git sorts them."""
    by_kind: dict[str, list[Definition]] = {kind.name: [] for kind in kinds}
    for definition in definitions:
        by_kind[definition.kind].append(definition)
    ordered = []
    for found in by_kind.values():
        # The order of code points is that of UTF-8, but for the stand-ins of bytes that are none.
        is_plain = "".join([one.name for one in found]).isascii()
        found.sort(key=itemgetter(1) if is_plain else lambda one: one.name.encode("utf-8", "surrogateescape"))
        ordered += found
    return ordered


def _wanted(
    source: Source, kinds: Kinds, problems: list[Problem], known: Container[str]
) -> dict[str, tuple[str, str]]:
    """Kind and name by the path of every definition there is but the `known` ones; notes what lies where it cannot be meant."""
    wanted: dict[str, tuple[str, str]] = {}
    for entry in source.entries(DEFINITIONS_FOLDER, known):
        kind, _, name = entry.path[len(DEFINITIONS_FOLDER) + 1 :].partition("/")
        if (
            entry.type is EntryType.FILE
            and kind in kinds.by_name
            and name.endswith(SUFFIX)
            and "/." not in entry.path
            and name != SUFFIX
        ):
            wanted[entry.path] = (
                kind,
                name.removesuffix(SUFFIX),
            )  # nearly all: ten thousand times `_look_at` costs a tenth of a second
            continue
        found = _look_at(entry.path, entry.type, kinds, problems)
        if found:
            wanted[entry.path] = found
    return wanted


def _read(
    path: str, kind: Kind, name: str, data: bytes | Oversize | None
) -> tuple[Definition | None, tuple[Problem, ...]]:
    """One file as a definition, and what reading it found."""
    if isinstance(data, Oversize):
        return None, (yaml.too_large(path, data.size),)
    if data is None:
        return None, (
            Problem(
                "Y020", Severity.ERROR, Span(path), "the file went away while it was read", "run it again"
            ),
        )
    document, problems = yaml.load(data, path)
    if document is None:
        return None, problems
    if not isinstance(document.data, dict):
        what = {list: "a list", str: "text", type(None): "empty"}.get(type(document.data), "one value")
        message = f"the file is {what}, not a map" if what != "empty" else "the file holds nothing"
        return None, (
            *problems,
            Problem(
                "Y021", Severity.ERROR, document.span(), message, "start with `title:` and `definition:`"
            ),
        )
    return Definition(
        kind.name, name, id_of(document.data), document, summary_of(document.data, kind.references)
    ), problems


def _samples(source: Source, definitions: Iterable[Definition]) -> dict[str, str]:
    named = {
        path
        for definition in definitions
        for path in definition.summary.samples
        if path.startswith(f"{SAMPLES_FOLDER}/")
    }
    there = (
        {entry.path for entry in source.entries(SAMPLES_FOLDER) if entry.type is EntryType.FILE}
        if named
        else set()
    )
    found = dict.fromkeys(named - there, "there is no file")
    for path, data in source.read_many(sorted(named & there), at_most=MAX_SAMPLE_BYTES):
        if isinstance(data, Oversize):
            found[path] = "more than 1 MiB are in"
    return found


def _look_at(  # noqa: PLR0911 - one a sort of mistake
    path: str, kind_of_entry: EntryType, kinds: Kinds, problems: list[Problem]
) -> tuple[str, str] | None:
    """Kind and name for a path that is to be read; notes what lies where it cannot be meant."""
    steps = path.split("/")
    if any(step.startswith(".") for step in steps) or path == LEDGER_PATH:
        return None

    def note(rule: str, message: str, hint: str) -> None:
        problems.append(Problem(rule, Severity.ERROR, Span(path), message, hint))

    if kind_of_entry is not EntryType.FILE:
        note("Y022", f"a {kind_of_entry.value} is not read", "put the file itself here")
        return None
    base, dot, ending = path.rpartition(".")
    if ending.lower() in ("yaml", "yml") and dot and ending != "yaml":
        note("Y023", f"files of definitions end in .yaml, not .{ending}", f"git mv {path} {base}{SUFFIX}")
        return None
    if not path.endswith(SUFFIX):
        return None
    if len(steps) == 2:
        note(
            "Y024",
            "a definition lies in the folder of its kind",
            f"move it to definitions/{next(iter(kinds.by_name))}/",
        )
        return None
    if steps[1] not in kinds.by_name:
        note(
            "Y024",
            f"`{steps[1]}` is no kind: there is no schema/{steps[1]}.schema.json",
            nearest(steps[1], kinds.by_name) or f"the kinds are {', '.join(kinds.by_name)}",
        )
        return None
    return kind_and_name(path)
