"""Writes docs/rules.md and docs/commands.md from the rules and commands themselves; the tests check that they are up to date."""

import os
import subprocess
import sys
from pathlib import Path

from registry.check import RULES
from registry.cli import COMMANDS

DOCS = Path(__file__).parent.parent / "docs"
_READING = """| Y001 | not valid YAML |
| Y002 | larger than 256 KiB |
| Y003 | not UTF-8 |
| Y004 | a character that is not allowed |
| Y005 | nested deeper than 32 levels, or more than 20,000 keys and values |
| Y006 | a key that is not text |
| Y007 | empty |
| Y008 | anchors, aliases, merge keys, tags, directives |
| Y009 | a second document |
| Y010 | a key twice |
| Y011 | a value that YAML versions read differently: quote it |
| Y020 | the file went away while it was read |
| Y021 | not a map |
| Y022 | a link, a submodule or a special file |
| Y023 | a file whose name ends in .yml |
| Y024 | a file in no kind's folder |
| K001 | an unknown setting in registry.yaml |
| K002 | a setting with a value that cannot be |
| K010 | a schema file that cannot be used |
| K011 | `schema/adapters.schema.json` is not up to date (a warning) |
| I020 | the ledger is broken: a line was changed, cut out or put in |
| I021 | `registry ids verify`: an id that `registry index` never gave |
| I022 | `registry ids verify`: the ledger tells what cannot be |
| I023 | `registry ids verify`: ledger and files do not agree |
| I024 | an id cannot be written into a file in the way it is written |
| I025 | no id is left: a file carries the largest one |
| I026 | `registry.yaml` has lost its `registry_id` |
| I027 | the ids are of another registry: this is a fork (a warning) |
| I036 | the change cannot be merged with its target |
"""


def rules() -> str:
    """The page of all rules."""
    parts = ["# What the checker looks for\n", "Written by `make accept` from the rules themselves; `registry rules ID` shows one on the terminal.\n",
             "## Reading, settings, schemas, ledger\n", "All are errors where nothing else is said.\n", "| id | what is wrong |\n|---|---|\n" + _READING,
             "## Rules\n"]  # fmt: skip
    for rule in RULES:
        kind = "" if rule.kind in ("*", "process_definition") else f", for the kind `{rule.kind}`"
        parts.append(f"### {rule.id} {rule.title}\n\n{rule.severity.value.capitalize()}{kind}. {rule.why}\n")
        parts.append(f"Found in:\n\n```yaml\n{rule.bad}```\n\nNot in:\n\n```yaml\n{rule.good}```\n")
    return "\n".join(parts)


def commands() -> str:
    """The page of all commands: what `--help` says."""
    parts = ["# Commands\n", "What `registry COMMAND --help` says; written by `make accept`.\n"]
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    for name in ("", *COMMANDS):
        words = [sys.executable, "-m", "registry", *([name] if name else []), "--help"]
        text = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
        lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
        parts.append(f"## {f'registry {name}'.strip()}\n\n```text\n{lines}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Write both."""
    (DOCS / "rules.md").write_text(rules(), encoding="utf-8")
    (DOCS / "commands.md").write_text(commands(), encoding="utf-8")


if __name__ == "__main__":
    main()
