"""Writes docs/rules.md and docs/commands.md from the rules and commands themselves; the tests check that they are up to date."""

import os
import subprocess
import sys
from pathlib import Path

from registry.check import OTHERS, RULES
from registry.cli import COMMANDS

DOCS = Path(__file__).parent.parent / "docs"


def rules() -> str:
    """The page of all rules."""
    parts = ["# What the checker looks for\n", "Written by `make accept` from the rules themselves; `registry rules ID` shows one on the terminal.\n",
             "## Reading, settings, schemas, ledger\n", "All are errors where nothing else is said.\n", "| id | what is wrong |\n|---|---|\n" + "".join(f"| {rule} | {what} |\n" for rule, what in OTHERS.items()),
             "## Rules\n"]  # fmt: skip
    for rule in RULES:
        kind = "" if rule.kind in ("*", "process_definition") else f", for the kind `{rule.kind}`"
        asked = f" Looked for with `{rule.settings.strip()}` in registry.yaml only." if rule.settings else ""
        parts.append(f"### {rule.id} {rule.title}\n\n{rule.severity.value.capitalize()}{kind}. {rule.why}{asked}\n")
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
