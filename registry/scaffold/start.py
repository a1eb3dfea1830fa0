"""A new registry, and a new definition with comments that say what else can be written."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.errors import RefusedError, UsageError
from registry.files.atomic_write import create_files, replace_in
from registry.git import git_is_installed, init_repository, open_repository
from registry.load.kinds import (
    ADAPTERS_INDEX,
    SCHEMA_FOLDER,
    AdapterType,
    Kind,
    adapters_index,
    defaults_folder,
    modeline,
)
from registry.load.yaml.writer import flow
from registry.model.definition import definition_path
from registry.scaffold.ci import CI_FILES

_README = """# {title}

Process definitions: which executable to run, and how. Each is a YAML file below `definitions/`; programs read them as
JSON by a small id that never changes.

    pip install process-registry
    registry check                              # what is wrong, and where
    registry new process_definition group/name  # a new one, with comments
    registry serve                              # catalog and API on http://127.0.0.1:8000

Change a file, open a pull request. When it is merged, `registry index` gives new definitions their ids on the main
branch; never write an `id` by hand.
"""
_SETTINGS = """# Settings of this registry; all are optional.
title: {title}
# description: What is kept here, in Markdown.
# base_url: https://registry.example.org/   # where the site will be served
# page_size: 20                             # definitions in one answer of a list
# history: commits                          # fewer files: neither the fields that a revision changed nor its content
# output: site                              # where `registry build` puts the site
# bot_name: Process Registry                # who commits ids
# bot_email: process-registry@localhost
registry_id: {registry_id}   # tells this registry from a fork; never change it
"""
_GITIGNORE = "/site\n/.site.generations/\n/.registry/\n"
# The ledger is a chain of hashes: its bytes must be the same everywhere.
_GITATTRIBUTES = "definitions/ledger.jsonl -text\n"
_VSCODE = {
    "yaml.schemas": {
        "schema/process_definition.schema.json": "definitions/process_definition/**/*.yaml",
        "schema/application.schema.json": "definitions/application/**/*.yaml",
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
    """What a person said about a new definition; empty means not said."""

    executable: str = ""
    argv: tuple[str, ...] = ()
    title: str = ""
    application: str = ""
    process_type: str = ""


def init_registry(folder: Path, title: str, forges: Sequence[str] = ("github",)) -> list[str]:
    """Make a new registry in `folder`; gives the files written, relative to it. What is there already stays as it is."""
    for name in ("definitions", "registry.yaml"):
        if (folder / name).exists():
            raise RefusedError(
                f"{folder / name} is there already", "this is a registry; `registry new` adds a definition"
            )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    if not git_is_installed():
        raise UsageError("git is not on this machine", "install it, for example with `apt install git`")
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    has_repository = open_repository(there) is not None
    files = {
        name: data for name, data in _registry_files(title, forges).items() if not (folder / name).exists()
    }
    create_files(folder, files)
    if not has_repository:
        init_repository(folder)
    return sorted(files)


def _registry_files(title: str, forges: Sequence[str]) -> dict[str, bytes]:
    example = definition_path("process_definition", "example/upper-case")
    texts = {
        "README.md": _README.format(title=title),
        "registry.yaml": _SETTINGS.format(title=flow(title), registry_id=uuid.uuid4()),
        ".gitignore": _GITIGNORE,
        ".vscode/settings.json": json.dumps(_VSCODE, indent=2) + "\n",
        ".vscode/extensions.json": json.dumps(_VSCODE_EXTENSIONS, indent=2) + "\n",
        ".gitattributes": _GITATTRIBUTES,
        **{path: text for forge in forges for path, text in CI_FILES[forge].items()},
        example: _EXAMPLE.format(modeline=modeline(example, "process_definition")),
    }
    files = {name: text.encode() for name, text in texts.items()}
    schemas = defaults_folder(SCHEMA_FOLDER)
    for file in sorted(schemas.rglob("*.schema.json")):
        files[f"{SCHEMA_FOLDER}/{file.relative_to(schemas).as_posix()}"] = file.read_bytes()
    return files


def write_adapters_index(root: Path, adapters: Mapping[str, AdapterType]) -> str:
    """Write the schema file through which editors find adapter types; gives its path below `root`."""
    path = f"{SCHEMA_FOLDER}/{ADAPTERS_INDEX}"
    defaults = defaults_folder(SCHEMA_FOLDER)
    # Its references are to files beside it: those that come with the program are needed there too.
    needed = {
        f"{SCHEMA_FOLDER}/{file.relative_to(defaults).as_posix()}": file
        for file in sorted(defaults.rglob("*.schema.json"))
    }
    create_files(
        root, {name: file.read_bytes() for name, file in needed.items() if not (root / name).exists()}
    )
    replace_in(root, path, adapters_index_text(adapters).encode())
    return path


def adapters_index_text(adapters: Mapping[str, AdapterType]) -> str:
    """The file's text."""
    return json.dumps(adapters_index(adapters), indent=2, ensure_ascii=False) + "\n"


def definition_text(path: str, kind: Kind, name: str, start: Start) -> str:
    """The text of a new file: what was said, and as comments what else there is."""
    title = start.title or name.rsplit("/", 1)[-1].replace("-", " ").replace("_", " ").capitalize()
    head = [
        modeline(path, kind.name),
        f"title: {flow(title)}",
        "# description: What it does and what to know before using it, in Markdown.",
        "# owners: [your-team]",
        "# tags: [word, another]",
        "lifecycle: experimental   # experimental | production | deprecated",
    ]
    if kind.name == "process_definition":
        body = _process_lines(start)
    elif kind.name == "application":
        body = [
            "definition:",
            "  mappings:                # for each site: which image, which size of machine",
            "    your-site: {iaas_image: image-name, iaas_allocation: m1.small}",
            "  # contextualization:     # how a machine is set up when it starts",
            "  #   method: userdata     # userdata | chef-solo | chef",
            '  #   userdata: "#!/bin/sh\\n"',
        ]
    else:
        body = [f"definition: {flow(_smallest(kind.schema, kind.schema))}"]
    return "\n".join([*head, *body]) + "\n"


def _process_lines(start: Start) -> list[str]:
    process_type = start.process_type or "single"
    lines = [
        "definition:",
        f"  exec: {flow(start.executable or '/path/to/executable')}",
        f"  application: {flow(start.application)}"
        if start.application
        else "  # application: name   # a definition of the kind application",
        f"  process_type: {process_type}   # single: one message in, one out, ends; service: runs for a long time",
        f"  argv: {flow(list(start.argv))}"
        if start.argv
        else '  # argv: ["-v", "${input_file}"]   # each item one argument; no shell',
        '  # environment: {LEVEL: info, COUNT: "3"}   # text only: quote numbers',
        "  # cwd: /srv/somewhere",
    ]
    if process_type == "single":
        return [
            *lines,
            "  # timeout: 60   # seconds one run may take",
            "  input_adapter: {input_type: file, input_params: {file_type: stream, stream_name: STDIN}}",
            "  output_adapter: {output_type: file, output_params: {file_type: stream, stream_name: STDOUT}}",
        ]
    return [
        *lines,
        "  input_adapter: {input_type: stream, input_params: {stream_name: STDIN, framing: lines}}",
        "  output_adapter: {output_type: stream, output_params: {stream_name: STDOUT, framing: lines}}",
    ]


def _smallest(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Any:
    """The smallest `definition` of a kind that we know nothing about: required keys with the schema's first example."""
    inside = schema.get("properties", {}).get("definition", {})
    reference = inside.get("$ref", "")
    for step in reference.removeprefix("#").split("/")[1:]:
        inside = whole if step == "$defs" and inside.get("$ref") else inside
        inside = inside[step]
    properties = inside.get("properties", {})
    return {name: properties.get(name, {}).get("examples", ["…"])[0] for name in inside.get("required", ())}
