"""Build kinds from schema files: one bundled JSON Schema per kind, including the adapter types.

`schema/<kind>.schema.json` defines a kind, `schema/adapters/<type>.schema.json` an adapter type. A registry's
own files override those of the program, file by file. Nothing is fetched over the network.
"""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from registry.credentials import SecretFields
from registry.errors import UsageError, nearest
from registry.git import Oversize
from registry.load import yaml
from registry.load.bundle import bundle
from registry.load.defaults import KIND_PROTOCOLS, SCHEMA_FOLDER, SETTINGS_SCHEMA, program_schemas
from registry.load.foreign_json import read_json
from registry.load.schema_copies import is_copy, older_copies
from registry.load.settings import settings_schema
from registry.load.source_files import EntryType, Source
from registry.load.x_registry import KindTraits, findings_in, traits_of
from registry.model.addresses import RESERVED_KINDS
from registry.model.definition import Reference, SummaryField
from registry.model.git_leftovers import leftover_in
from registry.model.pointer import pointer_of
from registry.model.problem import Problem, Severity, Span

if TYPE_CHECKING:
    import jsonschema_rs

# Definitions have at most 32 levels, and a schema needs two or three levels for each of them.
_DEEPEST = 128
ADAPTERS_INDEX = "adapters.schema.json"
# A kind is a folder, a part of addresses and of operation ids in OpenAPI, so only letters that are safe in
# all of them.
_KIND_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_ADAPTER_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
MAX_SCHEMA_BYTES = 1024 * 1024
"""A larger schema file is not read."""
# Bundling copies shared parts into each kind, so a limit for single files alone would not bound the memory.
_MAX_ALL_SCHEMAS = 16 * MAX_SCHEMA_BYTES


@dataclass(frozen=True, slots=True)
class AdapterType:
    """A way for messages to reach or leave a process, as described by its schema file."""

    name: str
    title: str
    description: str
    directions: tuple[str, ...]
    fits: tuple[str, ...]
    sides: Mapping[str, Any]
    example: Any


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of definition. `schema` is self-contained: all its references start with `#`.

    `secret_fields` are paths below which a long random value counts as a credential. They are scanned even
    outside `definition`. A registry's own schema cannot remove the secret fields of the program's schema of
    the same kind.
    """

    name: str
    description: str
    schema: dict[str, Any]
    traits: KindTraits
    # A list, because a frozen dataclass cannot be assigned to. It is filled by the first access to
    # `validator`.
    _compiled: list[Any] = field(default_factory=list, repr=False, compare=False)

    @property
    def title(self) -> str:
        """The display name."""
        return self.traits.title

    @property
    def plural(self) -> str:
        """The display name in the plural."""
        return self.traits.plural

    @property
    def references(self) -> tuple[Reference, ...]:
        """The fields that hold names of other definitions."""
        return self.traits.references

    @property
    def secret_fields(self) -> SecretFields:
        """Where a file may contain credentials."""
        return SecretFields(self.traits.secret_fields, self.traits.program_keys)

    def uses(self, rules: str) -> bool:
        """True when this set of rules, or rules for this kind or for all kinds (`*`), apply to the kind."""
        return rules in ("*", self.name) or rules in self.traits.rules

    @property
    def validator(self) -> "jsonschema_rs.Draft202012Validator":
        """The fast validator (valid or not), compiled once."""
        if not self._compiled:
            import jsonschema_rs

            self._compiled.append(jsonschema_rs.Draft202012Validator(self.schema))
        return self._compiled[0]  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Kinds:
    """All kinds and all adapter types by name."""

    by_name: Mapping[str, Kind]
    adapters: Mapping[str, AdapterType]

    def __iter__(self) -> Iterator[Kind]:
        return iter(self.by_name.values())

    def named(self, name: str) -> Kind:
        """Return the kind with this name. Raises UsageError with the most similar name if there is none."""
        if name not in self.by_name:
            raise UsageError(
                f"there is no kind `{name}`",
                nearest(name, self.by_name) or f"the kinds are {', '.join(self.by_name)}",
            )
        return self.by_name[name]

    @property
    def fields(self) -> dict[str, SummaryField]:
        """The fields that lists filter by, from all kinds, by name."""
        found: dict[str, SummaryField] = {}
        for kind in self:
            for one in kind.traits.fields:
                found.setdefault(one.name, one)
        return found

    @property
    def referenced(self) -> frozenset[str]:
        """Names of the kinds that definitions of any kind reference."""
        return frozenset(one.kind for kind in self for one in kind.traits.shown_references)

    def using(self, *rules: str) -> frozenset[str]:
        """Names of the kinds to which one of these sets of rules applies."""
        return frozenset(kind.name for kind in self if any(map(kind.uses, rules)))

    @property
    def secret_fields(self) -> SecretFields:
        """The secret fields of all kinds: an older revision of a file may have had another kind."""
        paths = {path for kind in self for path in kind.secret_fields.paths}
        programs = {pair for kind in self for pair in kind.secret_fields.programs}
        return SecretFields(tuple(sorted(paths)), tuple(sorted(programs)))

    def with_secret_fields_of(self, others: "Kinds") -> "Kinds":
        """Return these kinds plus the secret fields of `others`, so that a change cannot hide a field."""
        found = {}
        for kind in self:
            own = kind.traits.secret_fields
            theirs = others.by_name[kind.name].traits.secret_fields if kind.name in others.by_name else ()
            fields = tuple(dict.fromkeys((*own, *theirs)))
            traits = replace(kind.traits, secret_fields=fields)
            found[kind.name] = kind if fields == own else replace(kind, traits=traits)
        return replace(self, by_name=found)


def modeline(path: str, kind: str) -> str:
    """Return the comment that tells an editor which schema applies to the definition at `path`."""
    up = "../" * path.count("/")
    return f"# yaml-language-server: $schema={up}{SCHEMA_FOLDER}/{kind}.schema.json"


def load_kinds(source: Source) -> tuple[Kinds, tuple[Problem, ...]]:
    """Load all kinds and adapter types of `source`; returns them with the problems of the schema files.

    Raises UsageError when the program's own schema files are missing, or when all schemas together are larger
    than 16 MiB.
    """
    problems: list[Problem] = []
    documents = _documents(source, problems)
    if documents.pop(SETTINGS_SCHEMA) != json.loads(settings_schema()):
        problems.append(_outdated(SETTINGS_SCHEMA, "completion in registry.yaml"))
    adapters = _adapters(documents, problems)
    # Kinds refer to the index. The file in the source is a copy for editors and may be out of date.
    written = documents.get(ADAPTERS_INDEX)
    documents[ADAPTERS_INDEX] = adapters_index(adapters)
    index_path = f"{SCHEMA_FOLDER}/{ADAPTERS_INDEX}"
    has_copy = any(entry.path == index_path for entry in source.entries(SCHEMA_FOLDER))
    if has_copy and written != documents[ADAPTERS_INDEX]:
        problems.append(_outdated(ADAPTERS_INDEX, "completion of adapter types"))
    kinds = _kinds(source, documents, problems)
    problems.extend(_unknown_references(kinds))
    return Kinds(dict(sorted(kinds.items(), key=_kind_order)), dict(sorted(adapters.items()))), tuple(
        problems
    )


def _adapters(documents: Mapping[str, Any], problems: list[Problem]) -> dict[str, AdapterType]:
    """Return the adapter types by name; adds the problems of their files."""
    found = {}
    for path, document in documents.items():
        folder, file = posixpath.split(path)
        name = file.removesuffix(".schema.json")
        if folder != "adapters" or name == "common":  # `common` has parts that the others share
            continue
        adapter = _adapter(name, document, path, problems)
        if adapter is not None:
            found[name] = adapter
    return found


def _kinds(source: Source, documents: Mapping[str, Any], problems: list[Problem]) -> dict[str, Kind]:
    """Return the kinds by name; adds the problems of their files."""
    found = {}
    for path, document in documents.items():
        if "/" in path or path == ADAPTERS_INDEX:
            continue
        mistakes = _mistakes_in_block(path, document, source)
        problems.extend(mistakes)
        if mistakes:
            continue  # the traits cannot be read
        kind = _kind(path.removesuffix(".schema.json"), document, documents, problems)
        if kind is not None:
            found[kind.name] = kind
    return found


def _mistakes_in_block(path: str, document: Mapping[str, Any], source: Source) -> list[Problem]:
    """Return the mistakes in the `x-registry` block of a schema file, each with its location."""
    block = document.get("x-registry", {})
    findings = findings_in(block)
    if not findings:
        return []
    whole = f"{SCHEMA_FOLDER}/{path}"
    # JSON is nearly always valid YAML, and only the YAML reader reports locations.
    places = yaml.load(source.read(whole, at_most=MAX_SCHEMA_BYTES) or b"", whole)[0]
    found = []
    for one in findings:
        pointer = ("x-registry", *one.pointer)
        span = places.span(pointer, key=one.is_key) if places is not None else Span(whole)
        message = f"x-registry: {one.message}"
        found.append(Problem("K012", Severity.ERROR, span, message, one.hint, pointer_of(pointer)))
    return found


def _outdated(file: str, what: str) -> Problem:
    """Return the finding for an editor copy that differs from what the program would write."""
    message = f"this file is out of date; editors use it for {what}"
    return Problem(
        "K011", Severity.WARNING, Span(f"{SCHEMA_FOLDER}/{file}"), message, "run `registry schema --write`"
    )


def _kind_order(item: tuple[str, Kind]) -> tuple[int, str]:
    return item[1].traits.order, item[0]


def _documents(source: Source, problems: list[Problem]) -> dict[str, Any]:
    """Return schema files by path below `schema/`, in byte order; a registry's own override the program's."""
    protocols = source.settings.protocols
    texts = {path: file.read_bytes() for path, file in program_schemas(protocols).items()}
    if not texts:
        raise UsageError("the program's own schema files are missing", "reinstall the program")
    own = _own_texts(source, problems)
    for kind, protocol in KIND_PROTOCOLS.items():
        # A copy for editors adds no kind; a schema of the registry's own by this name does.
        path = f"{kind}.schema.json"
        if protocol not in protocols and path in own and is_copy(path, own[path]):
            del own[path]
    for path in older_copies(own, texts):
        message = "this copy of a schema is older than the program, and overrides the program's own schema"
        span = Span(f"{SCHEMA_FOLDER}/{path}")
        problems.append(Problem("K020", Severity.WARNING, span, message, "run `registry schema --update`"))
    texts |= own
    documents = {}
    for path, data in sorted(texts.items()):
        try:
            document = read_json(data, deepest=_DEEPEST)
            if not isinstance(document, dict):
                raise ValueError("a schema file must contain a JSON object")
        except ValueError as error:
            problems.append(_unreadable(path, data, error))
        else:
            documents[path] = document
    return documents


def _unreadable(path: str, data: bytes, error: ValueError) -> Problem:
    """Return the finding for a schema file that is not a JSON object. `error` may have line and column."""
    leftover = leftover_in(data.decode("utf-8", "replace"))
    if leftover is not None:
        # Conflict markers are the cause; the JSON error is only where they begin to matter.
        message, hint, line, column = leftover.message, leftover.hint, leftover.line, 1
    else:
        message, hint = f"not a valid JSON Schema: {getattr(error, 'msg', error)}", ""
        line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
    span = Span(f"{SCHEMA_FOLDER}/{path}", line, column, line, column + 1)
    return Problem("K010", Severity.ERROR, span, message, hint)


def _own_texts(source: Source, problems: list[Problem]) -> dict[str, bytes]:
    """Return the registry's own schema files by path below `schema/`.

    Adds a problem for each file that is too large or not a regular file of a commit.
    """
    start = len(SCHEMA_FOLDER) + 1
    paths = []
    for entry in source.entries(SCHEMA_FOLDER):
        if entry.type in (EntryType.LINK, EntryType.SUBMODULE, EntryType.GIT_DIRECTORY):
            message = f"a {entry.type.value} is not read; the program's own schema would apply instead"
            problems.append(
                Problem("K010", Severity.ERROR, Span(entry.path), message, "replace it with the file itself")
            )
        elif (
            entry.type is EntryType.FILE
            and entry.path.endswith(".schema.json")
            and entry.path[start:].count("/") <= 1
        ):
            paths.append(entry.path)
    texts = {}
    room = _MAX_ALL_SCHEMAS
    for path, data in source.read_many(paths, at_most=MAX_SCHEMA_BYTES):
        if isinstance(data, Oversize):
            message = f"the file has {data.size:,} bytes; the maximum is {MAX_SCHEMA_BYTES:,}"
            problems.append(
                Problem("K010", Severity.ERROR, Span(path), message, "split the schema, or remove the file")
            )
        elif data is not None:
            room -= len(data)
            if room < 0:
                raise UsageError(
                    f"files below {SCHEMA_FOLDER}/ have more than {_MAX_ALL_SCHEMAS:,} bytes in total",
                    "remove some of them",
                )
            texts[path[start:]] = data
    return texts


def _adapter(name: str, document: Any, path: str, problems: list[Problem]) -> AdapterType | None:
    facts = document.get("x-registry", {})
    sides = {
        side: document.get("$defs", {}).get(side) for side in facts.get("directions", ("input", "output"))
    }
    if not _ADAPTER_NAME.match(name) or not all(isinstance(side, dict) for side in sides.values()):
        problems.append(
            _schema_problem(path, "an adapter type needs a lower-case name and `$defs` with its directions")
        )
        return None
    example = next(iter(document.get("examples", ())), None)
    return AdapterType(
        name,
        document.get("title", name),
        document.get("description", ""),
        tuple(sides),
        tuple(facts.get("fits", ("single", "service"))),
        sides,
        example,
    )


def adapters_index(adapters: Mapping[str, AdapterType]) -> dict[str, Any]:
    """Return the schema that maps an adapter's type to the schema of its parameters.

    Editors read it from a file.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Adapters",
        "description": "Maps each adapter type to its schema. Generated by `registry schema --write`.",
        "$defs": {f"{side}_adapter": _adapter_side(side, adapters) for side in ("input", "output")},
    }


def _adapter_side(side: str, adapters: Mapping[str, AdapterType]) -> dict[str, Any]:
    known = {name: adapter for name, adapter in sorted(adapters.items()) if side in adapter.directions}
    type_key, params_key, old_key = f"{side}_type", f"{side}_params", f"{side}_parameters"
    choices = "; ".join(
        f"{name}: {adapter.description.split('. ')[0].rstrip('.')}" for name, adapter in known.items()
    )
    params = {"type": "object", "title": "Parameters", "description": "Parameters of the adapter type."}
    branches = []
    for name in known:
        reference = {"$ref": f"adapters/{name}.schema.json#/$defs/{side}"}
        # `required` in the `if`: without it a missing type would trigger every branch.
        condition = {"properties": {type_key: {"const": name}}, "required": [type_key]}
        branches.append(
            {"if": condition, "then": {"properties": {params_key: reference, old_key: reference}}}
        )
    return {
        "type": "object",
        "properties": {
            type_key: {
                "title": f"{side.capitalize()} type",
                "description": f"{choices}; or a custom type, for example acme/kafka.",
                "anyOf": [{"enum": list(known)}, {"type": "string", "minLength": 1}],
                "examples": list(known),
            },
            params_key: params
            | {"examples": [adapter.sides[side].get("examples", [{}])[0] for adapter in known.values()]},
            old_key: params
            | {
                "description": f"Deprecated spelling of `{params_key}`.",
                "deprecated": True,
                "examples": [{}],
            },
        },
        "required": [type_key],
        "patternProperties": {"^x-": True},
        "additionalProperties": False,
        "allOf": branches,
        "examples": [
            {type_key: name, params_key: adapter.sides[side].get("examples", [{}])[0]}
            for name, adapter in known.items()
        ],
    }


def _kind(name: str, document: Any, documents: Mapping[str, Any], problems: list[Problem]) -> Kind | None:
    path = f"{name}.schema.json"
    if not _KIND_NAME.match(name):
        message = (
            f"`{name}` cannot be the name of a kind: "
            "use lower-case letters, digits and _, starting with a letter"
        )
        problems.append(_schema_problem(path, message))
        return None
    if name in RESERVED_KINDS:
        others = ", ".join(sorted(RESERVED_KINDS))
        use = "the ledger uses this folder" if name == "ledger" else "the site uses this address"
        message = f"`{name}` cannot be the name of a kind: {use}"
        problems.append(_schema_problem(path, message, f"rename the file; reserved names: {others}"))
        return None
    try:
        schema = bundle(path, documents)
    except ValueError as error:
        problems.append(_schema_problem(path, str(error)))
        return None
    import jsonschema_rs

    try:
        jsonschema_rs.meta.validate(schema)
        kind = Kind(name, document.get("description", ""), schema, traits_of(name, document))
        _ = kind.validator
    except (
        jsonschema_rs.ValidationError,
        jsonschema_rs.ReferencingError,
        ValueError,
        KeyError,
        TypeError,
    ) as error:
        message = getattr(error, "message", None) or str(error)
        problems.append(
            _schema_problem(path, f"not a usable JSON Schema 2020-12: {str(message).splitlines()[0]}")
        )
        return None
    return kind


def _schema_problem(path: str, message: str, hint: str = "") -> Problem:
    return Problem("K010", Severity.ERROR, Span(f"{SCHEMA_FOLDER}/{path}"), message, hint)


def _unknown_references(kinds: Mapping[str, Kind]) -> Iterator[Problem]:
    for kind in kinds.values():
        for reference in kind.references:
            if reference.kind not in kinds:
                yield _schema_problem(
                    f"{kind.name}.schema.json",
                    f"x-registry refers to the kind `{reference.kind}`, which has no schema",
                )
