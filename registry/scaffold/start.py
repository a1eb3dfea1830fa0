"""Create a registry, and definitions with comments that list the available fields."""

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.errors import RefusedError, UsageError
from registry.files.atomic_write import create_files, replace_in
from registry.git import HEADS, Repository, git_is_installed, init_repository, open_repository
from registry.load.defaults import SCHEMA_FOLDER, SETTINGS_SCHEMA, defaults_folder
from registry.load.kinds import (
    ADAPTERS_INDEX,
    AdapterType,
    Kind,
    adapters_index,
    modeline,
)
from registry.load.ledger_files import LEDGER_ATTRIBUTES
from registry.load.settings import SETTINGS_PATH, Settings, settings_schema
from registry.load.source import WorkTree
from registry.load.x_registry import KindTraits
from registry.load.yaml.writer import flow
from registry.model.definition import LEDGER_PATH, definition_path
from registry.model.schema_reference import followed
from registry.scaffold.ci import ci_files, install_command

_README = """# {title}

Process definitions: which executable to run, and how. Each definition is a YAML file below `definitions/`.
Programs read the definitions as JSON, by a small id that never changes.

    {install}
    registry check                              # report problems
    registry new process_definition group/name  # create a definition
    registry serve                              # catalog and API on http://127.0.0.1:8000

To change a definition, edit its file and open a pull request. After the merge, `registry index` assigns ids
to new definitions on the main branch. Never write an `id` by hand.
"""
_SETTINGS = """# yaml-language-server: $schema=schema/registry.schema.json
# Settings of this registry; all are optional.
title: {title}
# description: What the registry contains, in Markdown.
# base_url: https://registry.example.org/   # where the site is served
# page_size: 20                             # definitions on one page of a list
# history: commits                          # fewer files: only the commits, without changed fields \
and contents
# output: site                              # output folder of `registry build`
# bot_name: Process Registry                # author of the commits that assign ids
# bot_email: process-registry@localhost
{install_from}
registry_id: {registry_id}   # distinguishes this registry from a fork; never change it
"""
_GITIGNORE = "/site\n/.site.generations/\n/.registry/\n"
_VSCODE = {
    "yaml.schemas": {
        "schema/application.schema.json": "definitions/application/**/*.yaml",
        "schema/process_definition.schema.json": "definitions/process_definition/**/*.yaml",
        "schema/registry.schema.json": "registry.yaml",
    },
    "yaml.format.enable": False,
}
_VSCODE_EXTENSIONS = {"recommendations": ["redhat.vscode-yaml"]}
_EXAMPLE = """{modeline}
title: Upper case
description: Writes one text in capital letters.
owners: [your-team]
tags: [text, example]
examples:
  - {{title: three letters, input_text: "abc", output_text: "ABC"}}
definition:
  exec: /usr/bin/tr
  process_type: single
  timeout: 10
  argv: ["a-z", "A-Z"]
  input_adapter: {{input_type: file, input_params: {{file_type: stream, stream_name: STDIN}}}}
  output_adapter: {{output_type: file, output_params: {{file_type: stream, stream_name: STDOUT}}}}
"""


@dataclass(frozen=True, slots=True)
class Start:
    """Initial values of a new definition.

    `values` has the values of the kind's options by key; options that were omitted or empty are missing.
    """

    title: str = ""
    values: Mapping[str, str | list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """Paths relative to the registry's folder: files that were written, and existing files left unchanged."""

    new: tuple[str, ...]
    kept: tuple[str, ...] = ()


def is_registry(folder: Path) -> bool:
    """Return True if `folder` already contains a registry."""
    return any((folder / name).exists() for name in ("definitions", SETTINGS_PATH))


def init_registry(
    folder: Path, title: str, forges: Sequence[str] = ("github",), install_from: str = ""
) -> Written:
    """Create a registry in `folder`, and its CI files at the top of the containing repository.

    Existing files stay unchanged. Raises RefusedError if a registry exists already.
    """
    if is_registry(folder):
        raise RefusedError(
            f"{folder} is already a registry",
            "use `registry new` to add a definition, `registry init --ci github` to add CI files",
        )
    repository = _repository_around(folder)
    files = {
        name: data
        for name, data in _registry_files(title, install_from).items()
        if not (folder / name).exists()
    }
    top, ci = _ci_files(folder, repository, forges, install_from)
    kept = tuple(_seen_from(folder, top, name) for name in ci if (top / name).exists())
    new = {name: data for name, data in ci.items() if not (top / name).exists()}
    # All in one call, so that a failure leaves no files behind.
    inside = "" if top == folder else f"{folder.resolve().relative_to(top.resolve()).as_posix()}/"
    create_files(top, {f"{inside}{name}": data for name, data in files.items()} | new)
    if repository is None:
        init_repository(folder)
    return Written(tuple(sorted([*files, *(_seen_from(folder, top, name) for name in new)])), kept)


def init_bare_registry(folder: Path, title: str) -> None:
    """Create a bare repository in `folder` with one commit: an empty registry, for a server that writes.

    Raises RefusedError if the folder exists and is not empty, UsageError if it is not a folder.
    """
    _ = _repository_around(folder)  # raises if git is missing
    if folder.exists() and any(folder.iterdir()):
        raise RefusedError(f"{folder} is not empty; nothing was written", "name a new folder")
    author = Settings().bot_name, Settings().bot_email
    files = {
        name: data
        for name, data in _registry_files(title, "").items()
        if name.startswith((f"{SCHEMA_FOLDER}/", SETTINGS_PATH, ".git"))
    }
    repository = init_repository(folder, bare=True)
    commit = repository.make_commit(None, {**files, LEDGER_PATH: b""}, "Start the registry\n", author)
    repository.advance(f"{HEADS}main", commit, None, author)


def add_ci_files(folder: Path, forges: Sequence[str], install_from: str = "") -> Written:
    """Add CI files for the registry in `folder`, at the top of its repository.

    Raises RefusedError if one exists with different content.
    """
    address = install_from or WorkTree(folder).settings.install_from
    top, files = _ci_files(folder, _repository_around(folder), forges, address)
    existing = [name for name in files if os.path.lexists(top / name)]
    for name in existing:
        if not (top / name).is_file() or (top / name).read_bytes() != files[name]:
            raise RefusedError(
                f"{top / name} exists with other content; nothing was written",
                "move it away, run the command again, and merge the two by hand",
            )
    create_files(top, {name: data for name, data in files.items() if name not in existing})
    new = tuple(sorted(_seen_from(folder, top, name) for name in files if name not in existing))
    return Written(new, tuple(_seen_from(folder, top, name) for name in existing))


def _repository_around(folder: Path) -> Repository | None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    if not git_is_installed():
        raise UsageError("git is not installed", "install it, for example with `apt install git`")
    return open_repository(
        next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    )


def _ci_files(
    folder: Path, repository: Repository | None, forges: Sequence[str], install_from: str
) -> tuple[Path, dict[str, bytes]]:
    """Return the folder for CI files, and the files.

    The folder is the top of the work tree, where forges look for them, or `folder` itself without a
    repository.
    """
    inside = (
        repository.prefix_of(folder.absolute()).rstrip("/")
        if repository is not None and repository.top is not None
        else ""
    )
    top = repository.top if inside and repository is not None and repository.top is not None else folder
    texts = {path: text for forge in forges for path, text in ci_files(forge, inside, install_from).items()}
    return top, {path: text.encode() for path, text in texts.items()}


def _seen_from(folder: Path, top: Path, name: str) -> str:
    return name if top == folder else os.path.relpath(top / name, folder.resolve())


def _registry_files(title: str, install_from: str) -> dict[str, bytes]:
    example = definition_path("process_definition", "example/upper-case")
    source = (
        f"install_from: {install_from}"
        if install_from
        else "# install_from: https://…/process-registry.git@v1.0.0   # address from which CI installs it"
    )
    texts = {
        "README.md": _README.format(title=title, install=install_command(install_from)),
        "registry.yaml": _SETTINGS.format(title=flow(title), registry_id=uuid.uuid4(), install_from=source),
        ".gitignore": _GITIGNORE,
        ".vscode/settings.json": json.dumps(_VSCODE, indent=2) + "\n",
        ".vscode/extensions.json": json.dumps(_VSCODE_EXTENSIONS, indent=2) + "\n",
        ".gitattributes": "".join(LEDGER_ATTRIBUTES),
        example: _EXAMPLE.format(modeline=modeline(example, "process_definition")),
    }
    files = {name: text.encode() for name, text in texts.items()}
    schemas = defaults_folder(SCHEMA_FOLDER)
    for file in sorted(schemas.rglob("*.schema.json")):
        files[f"{SCHEMA_FOLDER}/{file.relative_to(schemas).as_posix()}"] = file.read_bytes()
    return files


def write_generated_schemas(root: Path, adapters: Mapping[str, AdapterType]) -> tuple[str, ...]:
    """Write the schema files that only editors read, for adapter types and settings.

    Returns their paths below `root`.
    """
    defaults = defaults_folder(SCHEMA_FOLDER)
    # The index of adapter types refers to files in the same folder, so the program's own are needed there
    # too.
    needed = {
        f"{SCHEMA_FOLDER}/{file.relative_to(defaults).as_posix()}": file
        for file in sorted(defaults.rglob("*.schema.json"))
    }
    create_files(
        root, {name: file.read_bytes() for name, file in needed.items() if not (root / name).exists()}
    )
    written = {ADAPTERS_INDEX: adapters_index_text(adapters).encode(), SETTINGS_SCHEMA: settings_schema()}
    for name, data in written.items():
        replace_in(root, f"{SCHEMA_FOLDER}/{name}", data)
    return tuple(f"{SCHEMA_FOLDER}/{name}" for name in written)


def adapters_index_text(adapters: Mapping[str, AdapterType]) -> str:
    """Return the text of the index of adapter types."""
    return json.dumps(adapters_index(adapters), indent=2, ensure_ascii=False) + "\n"


def definition_text(path: str, kind: Kind, name: str, start: Start) -> str:
    """Return the text of a new file: the given values, and the other fields as comments."""
    title = start.title or name.rsplit("/", 1)[-1].replace("-", " ").replace("_", " ").capitalize()
    lines = {
        "title": f"title: {flow(title)}",
        "description": "# description: What it does and what to know before using it, in Markdown.",
        "owners": "# owners: [your-team]",
        "tags": "# tags: [word, another]",
        "lifecycle": "lifecycle: experimental   # experimental | production | deprecated",
    }
    known = kind.schema.get("properties", {})
    head = [modeline(path, kind.name), *(line for key, line in lines.items() if key in known)]
    if kind.traits.new_lines:
        body = ["definition:", *_lines(kind.traits, start.values)]
    else:
        body = [f"definition: {flow(_smallest(kind.schema))}"]
    return "\n".join([*head, *body]) + "\n"


def _lines(traits: KindTraits, given: Mapping[str, str | list[str]]) -> Iterator[str]:
    """Yield the lines below `definition:`, from the kind's schema and the values of its options by key."""
    defaults = {one.key: one.default for one in traits.new_options}
    values = {key: value or defaults.get(key, "") for key, value in {**defaults, **given}.items()}
    for line in traits.new_lines:
        if any(values.get(key) != wanted for key, wanted in line.when.items()):
            continue
        value = values.get(line.key) if line.key else ""
        if value:
            comment = f"   # {line.comment}" if line.comment else ""
            yield f"  {line.key}: {flow(value)}{comment}"
        elif line.text:
            yield f"  {line.text}"


def _smallest(schema: Mapping[str, Any]) -> Any:
    """Return the smallest `definition` of a kind without known traits.

    It has the required keys with the first example of the schema for each.
    """
    inside = followed(schema, schema.get("properties", {}).get("definition", {}))
    properties = inside.get("properties", {})
    return {name: _example(properties.get(name)) for name in inside.get("required", ())}


def _example(schema: Any) -> Any:
    """Return the first example of a schema."""
    examples = schema.get("examples") if isinstance(schema, dict) else None
    return examples[0] if examples else "…"
