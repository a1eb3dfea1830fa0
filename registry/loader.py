"""Source and kinds to definitions with positions, and the problems met on the way."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from registry import yaml
from registry.errors import Problem, Severity, Span, nearest
from registry.git import Oversize
from registry.kinds import Kind, Kinds
from registry.outline import Outline, outline_of
from registry.source import EntryType, Source, blob_id

DEFINITIONS_FOLDER = "definitions"
SAMPLES_FOLDER = "samples"
TEMPLATES_FOLDER = "site_templates"
MAX_SAMPLE_BYTES = 1024 * 1024
LEDGER_PATH = f"{DEFINITIONS_FOLDER}/ledger.jsonl"
SUFFIX = ".yaml"


class Definition(NamedTuple):
    """One YAML file of a kind. `id` is None as long as none was given; `document.data` is always a map.

    `blob` is the id that git gives the bytes; "" where nobody has asked for it. What is asked of many definitions is in
    `outline`: documents may lie elsewhere, and be read when somebody asks.
    """

    kind: str
    name: str
    id: int | None
    document: yaml.Document | yaml.StoredDocument
    outline: Outline
    blob: str = ""

    @property
    def path(self) -> str:
        """Path of the file, relative to the registry's root."""
        return self.document.path

    @property
    def raw(self) -> bytes:
        """The bytes of the file."""
        return self.document.raw

    @property
    def data(self) -> dict[str, Any]:
        """The whole document as plain data."""
        return self.document.data  # type: ignore[no-any-return]

    @property
    def inside(self) -> dict[str, Any]:
        """What stands inside `definition`: exactly what programs get. Empty where it is missing or no map."""
        inside = self.data.get("definition")
        return inside if isinstance(inside, dict) else {}

    def problem(self, rule: str, severity: Severity, pointer: tuple[str | int, ...], message: str, hint: str = "", *, key: bool = False) -> Problem:
        """A finding about the value (or with `key` the key) at `pointer`, given as steps."""
        from registry.diff import pointer_of

        return Problem(rule, severity, self.document.span(pointer, key=key), message, hint, pointer_of(pointer))


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


def definition_path(kind: str, name: str) -> str:
    """Path of a definition's file, relative to the registry's root."""
    return f"{DEFINITIONS_FOLDER}/{kind}/{name}{SUFFIX}"


# A history names each path again and again.
@lru_cache(maxsize=65_536)
def kind_and_name(path: str) -> tuple[str, str] | None:
    """Kind and name that a path stands for, or None when it is no definition's path."""
    folder, _, rest = path.partition("/")
    kind, _, name = rest.partition("/")
    if folder != DEFINITIONS_FOLDER or not name or not name.endswith(SUFFIX) or name == SUFFIX:
        return None
    return kind, name.removesuffix(SUFFIX)


Recalled = tuple[Definition, tuple[Problem, ...]]
"""A definition that was read before, and what reading it found."""


class Known(Protocol):
    """Definitions that were read before."""

    def recall(self, source: Source) -> Mapping[str, Recalled]:
        """Those of the same kinds that are in `source` as they were, by path."""

    def find(self, source: Source, paths: Sequence[str]) -> Mapping[str, Recalled]:
        """Those at these paths, which are going to be read otherwise, that are known in another way."""

    def learn(self, definition: Definition, problems: tuple[Problem, ...]) -> Definition:
        """Remember one that was just read; the same, its document perhaps elsewhere."""


def load(source: Source, kinds: Kinds, only: Container[str] | None = None, known: Known | None = None) -> Loaded:
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
    return Loaded(tuple(ordered), tuple(problems), frozenset(unreadable), elsewhere, _samples(source, ordered))


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


def _wanted(source: Source, kinds: Kinds, problems: list[Problem], known: Container[str]) -> dict[str, tuple[str, str]]:
    """Kind and name by the path of every definition there is but the `known` ones; notes what lies where it cannot be meant."""
    wanted: dict[str, tuple[str, str]] = {}
    for entry in source.entries(DEFINITIONS_FOLDER, known):
        kind, _, name = entry.path[len(DEFINITIONS_FOLDER) + 1 :].partition("/")
        if entry.type is EntryType.FILE and kind in kinds.by_name and name.endswith(SUFFIX) and "/." not in entry.path and name != SUFFIX:
            wanted[entry.path] = (kind, name.removesuffix(SUFFIX))  # nearly all: ten thousand times `_look_at` costs a tenth of a second
            continue
        found = _look_at(entry.path, entry.type, kinds, problems)
        if found:
            wanted[entry.path] = found
    return wanted


def _read(path: str, kind: Kind, name: str, data: bytes | Oversize | None) -> tuple[Definition | None, tuple[Problem, ...]]:
    """One file as a definition, and what reading it found."""
    if isinstance(data, Oversize):
        return None, (yaml.too_large(path, data.size),)
    if data is None:
        return None, (Problem("Y020", Severity.ERROR, Span(path), "the file went away while it was read", "run it again"),)
    document, problems = yaml.load(data, path)
    if document is None:
        return None, problems
    if not isinstance(document.data, dict):
        what = {list: "a list", str: "text", type(None): "empty"}.get(type(document.data), "one value")
        message = f"the file is {what}, not a map" if what != "empty" else "the file holds nothing"
        return None, (*problems, Problem("Y021", Severity.ERROR, document.span(), message, "start with `title:` and `definition:`"))
    return Definition(kind.name, name, id_of(document.data), document, outline_of(document.data, kind.references)), problems


def _samples(source: Source, definitions: Iterable[Definition]) -> dict[str, str]:
    named = {path for definition in definitions for path in definition.outline.samples if path.startswith(f"{SAMPLES_FOLDER}/")}
    there = {entry.path for entry in source.entries(SAMPLES_FOLDER) if entry.type is EntryType.FILE} if named else set()
    found = dict.fromkeys(named - there, "there is no file")
    for path, data in source.read_many(sorted(named & there), at_most=MAX_SAMPLE_BYTES):
        if isinstance(data, Oversize):
            found[path] = "more than 1 MiB are in"
    return found


def id_of(data: dict[str, Any]) -> int | None:
    """The id that a file carries, where it is one."""
    number = data.get("id")
    return number if type(number) is int and number > 0 else None


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
        note("Y024", "a definition lies in the folder of its kind", f"move it to definitions/{next(iter(kinds.by_name))}/")
        return None
    if steps[1] not in kinds.by_name:
        note("Y024", f"`{steps[1]}` is no kind: there is no schema/{steps[1]}.schema.json",
             nearest(steps[1], kinds.by_name) or f"the kinds are {', '.join(kinds.by_name)}")  # fmt: skip
        return None
    return kind_and_name(path)
