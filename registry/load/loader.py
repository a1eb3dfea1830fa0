"""Load the definitions of a source, with positions and the problems found."""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from registry.cache.build_cache import BuildCache, Table
from registry.errors import nearest
from registry.git import Oversize
from registry.load import yaml
from registry.load.defaults import KIND_PROTOCOLS, TEMPLATES_FOLDER
from registry.load.document_store import DocumentStore
from registry.load.file_stats import is_settled
from registry.load.kinds import Kind, Kinds
from registry.load.ledger_files import OUTDATED_ATTRIBUTES, attributes_problems
from registry.load.lookups import QualifiedName, name_key, with_changes
from registry.load.settings import SETTINGS_PATH
from registry.load.source import Commit, EntryType, Source, WorkTree, blob_id
from registry.model.addresses import has_address
from registry.model.definition import (
    DEFINITIONS_FOLDER,
    LEDGER_FOLDER,
    LEDGER_PATH,
    SAMPLES_FOLDER,
    SUFFIX,
    Definition,
    Summary,
    definition_path,
    id_of,
    is_ledger_path,
    kind_and_name,
    summary_of,
)
from registry.model.problem import Problem, Severity, Span

# Only the existence and the size of samples are checked, and a page shows them whole.
MAX_SAMPLE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Loaded:
    """All definitions of a source, in order of kind and name.

    `unreadable` are the paths that could not be loaded. `elsewhere` are paths of definitions that were not
    requested: only their existence is known. `samples` maps files that examples name to the problem of the
    file, if any.
    """

    definitions: Sequence[Definition]
    problems: tuple[Problem, ...]
    unreadable: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    samples: Mapping[str, str] = field(default_factory=dict)

    def at(self, places: Collection[QualifiedName]) -> list[Definition]:
        """Return the definitions with these kinds and names."""
        names = {name for _, name in places}
        return [one for one in self.definitions if one.name in names and one[:2] in places]


class ParsedFile(NamedTuple):
    """Result of parsing one file. `blob` is its git blob id; without a summary it is not a definition."""

    blob: str
    id: int | None
    summary: Summary | None
    problems: tuple[Problem, ...]

    def as_row(self) -> list[Any]:
        """Return plain data that `from_row` converts back."""
        summary = tuple(self.summary) if self.summary is not None else None
        return [self.blob, self.id, summary, [problem.as_row() for problem in self.problems]]

    @classmethod
    def from_row(cls, row: list[Any]) -> "ParsedFile":
        """Return the parsed file from the data of `as_row`."""
        blob, number, summary, problems = row
        return cls(
            blob,
            number,
            Summary.from_row(summary) if summary is not None else None,
            tuple([Problem.from_row(one) for one in problems]) if problems else (),
        )


# Keyed by path; the digest is of the stat facts in a work tree, and the blob id in a commit.
_PARSED_FILES = Table("parsed_files", ParsedFile.as_row, ParsedFile.from_row)
_PARSED_BLOBS = Table("parsed_blobs", ParsedFile.as_row, ParsedFile.from_row)
# From this many documents on, newly parsed ones are spilled to disk: they would use most of a build's memory.
_MANY = 500
# Files with these names can turn a folder into a separate repository, which changes how all files below it
# are read.
_OF_GIT = frozenset((".git", "head", "objects", "refs", "config", "commondir"))

LoadedFile = tuple[str, Definition | None, tuple[Problem, ...]]
"""Path of a file, its definition if it is one, and the problems found in it."""


def load_definitions(
    source: Source, kinds: Kinds, only: Container[str] | None = None, cache: BuildCache | None = None
) -> Loaded:
    """Load every definition of `source`, or those whose paths are in `only`.

    An unreadable file gives a problem and does not affect the others. With a cache, only changed files are
    parsed and definitions have blob ids; without one, git is not needed.
    """
    # These belong to no definition, so they come first and are found again in each run.
    problems = [*_not_plain(source), *attributes_problems(source)]
    wanted = _wanted(source, kinds, problems)
    elsewhere = frozenset() if only is None else frozenset(path for path in wanted if path not in only)
    paths = [path for path in wanted if path not in elsewhere]
    found = (
        _parse(source, kinds, wanted, paths)
        if cache is None
        else _load_cached(source, kinds, wanted, paths, cache)
    )
    definitions: list[Definition] = []
    unreadable = set()
    for path, definition, found_problems in found:
        problems.extend(found_problems)
        if definition is None:
            unreadable.add(path)
        else:
            definitions.append(definition)
    ordered = tuple(_in_order(definitions, kinds))
    return Loaded(ordered, tuple(problems), frozenset(unreadable), elsewhere, _samples(source, ordered))


def load_definition(source: Source, kinds: Kinds, kind: str, name: str) -> Definition | None:
    """Load one definition, with its blob id and without any other file.

    Returns None if there is no such file, or if its content or its place is not that of a definition: then
    `load_definitions` gives the problems.
    """
    path = definition_path(kind, name)
    folders = [path[:end] for end, character in enumerate(path) if character == "/"]
    is_plain = kind in kinds.by_name and has_address(name) and source.type_of(path) is EntryType.FILE
    # A folder with a repository of its own is a submodule, or makes git take it for one.
    if not is_plain or any(source.type_of(f"{folder}/.git") is not None for folder in folders):
        return None
    definition, _ = parse_definition(path, kinds.by_name[kind], name, next(source.read_many([path]))[1])
    return (
        definition._replace(blob=blob_id(definition.raw, source.commit)) if definition is not None else None
    )


class LoadedChanges(NamedTuple):
    """A source in a later state.

    `loaded` is the complete state. `definitions` holds what was reloaded (None: removed), by kind and name.
    """

    loaded: Loaded
    definitions: dict[QualifiedName, Definition | None]


def load_changed(
    source: WorkTree, kinds: Kinds, before: Loaded, paths: Collection[str]
) -> LoadedChanges | None:
    """Reload the files at `paths`.

    The result equals `load_definitions` if nothing else changed since `before`. Returns None when other
    definitions may be affected: a path is not a regular file of a known kind, or a definition names sample
    files. The ledger and files that are never loaded, such as hidden files of editors, are skipped.
    """
    if any(map(is_ledger_path, paths)) and _attributes_changed(source, before):
        return None
    places = _changed_places(source, kinds, paths)
    if places is None:
        return None
    found: dict[QualifiedName, Definition | None] = {}
    problems: list[Problem] = []
    unreadable = set(before.unreadable)
    # Any object id: its length tells whether the repository uses SHA-1 or SHA-256.
    like = before.definitions[0].blob if before.definitions else source.commit
    for path, (place, exists) in places.items():
        unreadable.discard(path)
        found[place] = None
        if not exists:
            continue
        kind, name = place
        data = next(source.read_many([path]))[1]
        definition, read_problems = parse_definition(path, kinds.by_name[kind], name, data)
        problems += read_problems
        if definition is None:
            unreadable.add(path)
        else:
            found[place] = definition._replace(blob=blob_id(definition.raw, like))
    # A sample file is checked once for all definitions that name it.
    if _names_samples(found.values()) or _names_samples(before.at(found)):
        return None
    problems += [one for one in before.problems if one.span.path not in places]
    definitions = with_changes(before.definitions, found, kinds)
    loaded = replace(
        before, definitions=definitions, problems=tuple(problems), unreadable=frozenset(unreadable)
    )
    return LoadedChanges(loaded, found)


def are_definitions(source: WorkTree, kinds: Kinds, paths: Iterable[str]) -> bool:
    """True when each path is that of a definition, current or deleted, or of a file that is never loaded."""
    return _changed_places(source, kinds, paths) is not None


def _attributes_changed(source: WorkTree, before: Loaded) -> bool:
    """True when git attributes of the ledger have other problems than before.

    Those are problems of files that did not change.
    """
    known = tuple(one for one in before.problems if one.rule == OUTDATED_ATTRIBUTES)
    return attributes_problems(source) != known


def _changed_places(
    source: WorkTree, kinds: Kinds, paths: Iterable[str]
) -> dict[str, tuple[QualifiedName, bool]] | None:
    """Return kind and name of each changed definition by path, and whether the file exists.

    Files that are never loaded are omitted. Returns None when a path may affect how others are loaded.
    """
    found: dict[str, tuple[QualifiedName, bool]] = {}
    for path in paths:
        entry_type = source.type_of(path)
        is_plain = path.startswith(f"{DEFINITIONS_FOLDER}/") and entry_type in (EntryType.FILE, None)
        if not is_plain or not _OF_GIT.isdisjoint(path.lower().split("/")):
            return None
        misplaced: list[Problem] = []
        place = _place_of(path, EntryType.FILE, kinds, misplaced)
        if misplaced:
            return None
        if place is not None:
            found[path] = place, entry_type is EntryType.FILE
    return found


def definitions_at(
    loaded: Loaded, kinds: Kinds, paths: Iterable[str]
) -> dict[QualifiedName, Definition | None]:
    """Return the definitions at these paths by kind and name; None for each that does not exist."""
    places = {
        place for path in paths if (place := kind_and_name(path)) is not None and place[0] in kinds.by_name
    }
    return {**dict.fromkeys(places), **{one[:2]: one for one in loaded.at(places)}}


def _names_samples(definitions: Iterable[Definition | None]) -> bool:
    return any(one is not None and one.summary.samples for one in definitions)


def _parse(
    source: Source, kinds: Kinds, wanted: Mapping[str, tuple[str, str]], paths: Sequence[str]
) -> Iterator[LoadedFile]:
    for path, data in source.read_many(paths):
        kind, name = wanted[path]
        definition, problems = parse_definition(path, kinds.by_name[kind], name, data)
        yield path, definition, problems


def _load_cached(
    source: Source,
    kinds: Kinds,
    wanted: Mapping[str, tuple[str, str]],
    paths: Sequence[str],
    cache: BuildCache,
) -> Iterator[LoadedFile]:
    """Parse files like `_parse`, but skip those that are unchanged since an earlier run."""
    store = DocumentStore(cache, source.repository)
    parser = _StoringParser(source, kinds, wanted, store)
    if isinstance(source, Commit):
        # In a commit the content has an id already. In a work tree hashing each file would mean to read it.
        table, blobs = _PARSED_BLOBS, source.blobs()
        digests = {path: blobs[path] for path in paths}
    else:
        assert isinstance(source, WorkTree)
        table, digests = _PARSED_FILES, _stat_digests(source, paths)
    found = cache.get_or_compute(table, digests, parser.parse, version=_summary_version(kinds))
    for path, (blob, number, summary, problems) in found.items():
        if summary is None:
            yield path, None, problems
            continue
        kind, name = wanted[path]
        document = parser.fresh.get(path) or yaml.StoredDocument(path, store, (path, blob))
        yield path, Definition(kind, name, number, document, summary, blob), problems


class _StoringParser:
    """Parses files, and puts their documents in the store. `fresh` are the documents parsed here, by path."""

    def __init__(
        self, source: Source, kinds: Kinds, wanted: Mapping[str, tuple[str, str]], store: DocumentStore
    ) -> None:
        self.fresh: dict[str, yaml.StoredDocument] = {}
        self._source = source
        self._kinds = kinds
        self._wanted = wanted
        self._store = store

    def parse(self, paths: Sequence[str]) -> dict[str, ParsedFile]:
        """Return the parsed files by path."""
        spill = yaml.SpilledDocuments() if len(paths) >= _MANY else None
        like, parsed, documents = self._source.commit, {}, []
        for path, definition, problems in _parse(self._source, self._kinds, self._wanted, paths):
            if definition is None:
                parsed[path] = ParsedFile("", None, None, problems)
                continue
            raw, data = definition.raw, definition.data
            blob = blob_id(raw, like)
            # With the spill, the parsed document is dropped now: only its place on the disk is kept.
            place = (spill, spill.put(orjson.dumps(data), raw)) if spill else (None, (data, raw))
            document = yaml.StoredDocument(path, *place)
            self.fresh[path] = document
            documents.append((path, blob, document))
            parsed[path] = ParsedFile(blob, definition.id, definition.summary, problems)
        # After the last file, in one transaction: one for each document would sync the cache thousands of
        # times.
        self._store.keep((path, blob, orjson.dumps(one.data), one.raw) for path, blob, one in documents)
        return parsed


def _stat_digests(source: WorkTree, paths: Sequence[str]) -> dict[str, str]:
    """Return a digest of each file's stat facts; empty when a write at the same time could go unnoticed.

    Taken before the files are read, so that a digest is never newer than the content.
    """
    facts, looked_ns = source.facts(paths), source.looked_ns()
    digests = {}
    for path in paths:
        fact = facts.get(path)
        digests[path] = str(fact) if fact is not None and is_settled(fact[1], looked_ns) else ""
    return digests


def _summary_version(kinds: Kinds) -> str:
    """The version of everything that the content of summaries depends on."""
    return repr([(kind.name, kind.references, kind.traits.fields) for kind in kinds])


def _in_order(definitions: Iterable[Definition], kinds: Kinds) -> list[Definition]:
    """Sort by kind and name; names sort as in git."""
    by_kind: dict[str, list[Definition]] = {kind.name: [] for kind in kinds}
    for definition in definitions:
        by_kind[definition.kind].append(definition)
    ordered = []
    for found in by_kind.values():
        # Code points sort like UTF-8, except for the surrogates that represent invalid bytes.
        is_plain = "".join([one.name for one in found]).isascii()
        found.sort(key=itemgetter(1) if is_plain else lambda one: name_key(one.name))
        ordered += found
    return ordered


def _wanted(source: Source, kinds: Kinds, problems: list[Problem]) -> dict[str, tuple[str, str]]:
    """Return kind and name by the path of every definition; adds a problem for each misplaced file."""
    wanted: dict[str, tuple[str, str]] = {}
    for entry in source.entries(DEFINITIONS_FOLDER):
        kind, _, name = entry.path[len(DEFINITIONS_FOLDER) + 1 :].partition("/")
        is_well_placed = (
            entry.type is EntryType.FILE
            and kind in kinds.by_name
            and name.endswith(SUFFIX)
            and "/." not in entry.path
            and name != SUFFIX
        )
        if is_well_placed:  # the usual case: calling `_place_of` ten thousand times costs 0.1 s
            wanted[entry.path] = (kind, name.removesuffix(SUFFIX))
        elif place := _place_of(entry.path, entry.type, kinds, problems):
            wanted[entry.path] = place
    return wanted


def parse_definition(
    path: str, kind: Kind, name: str, data: bytes | Oversize | None
) -> tuple[Definition | None, tuple[Problem, ...]]:
    """Convert one file to a definition; returns it with the problems found."""
    if isinstance(data, Oversize):
        return None, (yaml.too_large(path, data.size),)
    if data is None:
        message, hint = "the file disappeared while it was read", "run the command again"
        return None, (Problem("Y020", Severity.ERROR, Span(path), message, hint),)
    document, problems = yaml.load(data, path)
    if document is None:
        return None, problems
    content = document.data
    if not isinstance(content, dict):
        hint = "start with `title:` and `definition:`"
        found = Problem("Y021", Severity.ERROR, document.span(), _not_a_map(content), hint)
        return None, (*problems, found)
    summary = summary_of(content, kind.references, kind.traits.fields)
    return Definition(kind.name, name, id_of(content), document, summary), problems


def _not_a_map(content: Any) -> str:
    if content is None:
        return "the file has no content"
    what = "a list" if isinstance(content, list) else "text" if isinstance(content, str) else "a single value"
    return f"the file is {what}, not a map"


def _samples(source: Source, definitions: Iterable[Definition]) -> dict[str, str]:
    named = {
        path
        for definition in definitions
        for path in definition.summary.samples
        if path.startswith(f"{SAMPLES_FOLDER}/")
    }
    # Most registries name no samples: do not list the folder then.
    there = (
        {entry.path for entry in source.entries(SAMPLES_FOLDER) if entry.type is EntryType.FILE}
        if named
        else set()
    )
    found = dict.fromkeys(named - there, "missing file")
    for path, data in source.read_many(sorted(named & there), at_most=MAX_SAMPLE_BYTES):
        if isinstance(data, Oversize):
            found[path] = "larger than 1 MiB:"
    return found


def git_directory_problem(path: str) -> Problem:
    """Return the finding for a git directory among the files of a registry; `path` is that of its `HEAD`."""
    return Problem(
        "Y022",
        Severity.ERROR,
        Span(path),
        "the files here look like a git directory, and git could use them as the repository",
        "remove them: the program refuses to run below such a folder",
    )


def _not_plain(source: Source) -> Iterator[Problem]:
    """Find settings, ledger and templates that are not regular files; defaults replace them."""
    for path in (SETTINGS_PATH, LEDGER_PATH):
        if (type_ := source.type_of(path)) not in (None, EntryType.FILE):
            yield _unread(path, type_)
    if source.type_of(LEDGER_FOLDER) is EntryType.FILE:
        message, hint = "a file, where the ledger needs a folder", "rename or remove it"
        yield Problem("Y022", Severity.ERROR, Span(LEDGER_FOLDER), message, hint)
    for entry in source.entries(TEMPLATES_FOLDER):
        if "/." in entry.path:
            continue  # hidden file of an editor
        if entry.type is EntryType.GIT_DIRECTORY:
            yield git_directory_problem(entry.path)
        elif entry.type is not EntryType.FILE:
            yield _unread(entry.path, entry.type)


def _unread(path: str, type_: EntryType | None) -> Problem:
    what = type_.value if type_ is not None and type_ is not EntryType.OTHER else "folder or special file"
    return Problem(
        "Y022", Severity.ERROR, Span(path), f"a {what} is not read", "replace it with the file itself"
    )


def _place_of(  # noqa: PLR0911 - one for each kind of mistake
    path: str, kind_of_entry: EntryType, kinds: Kinds, problems: list[Problem]
) -> tuple[str, str] | None:
    """Return kind and name for a path to load; adds a problem for a misplaced file."""
    if kind_of_entry is EntryType.GIT_DIRECTORY:
        problems.append(git_directory_problem(path))
        return None
    steps = path.split("/")
    if any(step.startswith(".") for step in steps) or path == LEDGER_PATH:
        return None

    def note(rule: str, message: str, hint: str) -> None:
        problems.append(Problem(rule, Severity.ERROR, Span(path), message, hint))

    if kind_of_entry is not EntryType.FILE:
        note("Y022", f"a {kind_of_entry.value} is not read", "replace it with the file itself")
        return None
    base, dot, ending = path.rpartition(".")
    if ending.lower() in ("yaml", "yml") and dot and ending != "yaml":
        note("Y023", f"definition files end in .yaml, not .{ending}", f"git mv {path} {base}{SUFFIX}")
        return None
    if not path.endswith(SUFFIX):
        return None
    if len(steps) == 2:
        note(
            "Y024",
            "a definition must be in the folder of its kind",
            f"move it to definitions/{next(iter(kinds.by_name))}/",
        )
        return None
    if steps[1] not in kinds.by_name:
        note("Y024", *_why_no_kind(steps[1], kinds))
        return None
    return kind_and_name(path)


def _why_no_kind(folder: str, kinds: Kinds) -> tuple[str, str]:
    """Return message and hint for a definition in a folder that is not of a kind."""
    known = f"the kinds are {', '.join(kinds.by_name)}"
    if f"{DEFINITIONS_FOLDER}/{folder}" == LEDGER_FOLDER:
        return "this folder holds the sealed segments of the ledger, not definitions", known
    if folder in KIND_PROTOCOLS:
        hint = f"add `protocols: [{KIND_PROTOCOLS[folder]}]` to {SETTINGS_PATH}"
        return f"`{folder}` is not a kind of this registry", hint
    return (
        f"`{folder}` is not a kind: there is no schema/{folder}.schema.json",
        nearest(folder, kinds.by_name) or known,
    )
