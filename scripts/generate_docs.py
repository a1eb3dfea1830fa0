"""Write docs/rules.md, docs/changes.md and docs/commands.md from the rules, change table and commands.

The script also adds the program's schemas to the list that identifies older copies. The tests check that all
files are up to date.
"""

import inspect
import textwrap
from pathlib import Path

import click

from registry.changes import TABLE, Party
from registry.check import OTHERS, RULES
from registry.cli import COMMANDS, program
from registry.load.defaults import SETTINGS_SCHEMA
from registry.load.kinds import ADAPTERS_INDEX, load_kinds
from registry.load.schema_copies import DIGESTS, digest
from registry.load.source import WorkTree

DOCS = Path(__file__).parent.parent / "docs"


def rules() -> str:
    """Return the page of all rules."""
    parts = [
        "# What the checker looks for\n",
        "Written by `make accept` from the rules themselves; "
        "`registry rules ID` shows one on the terminal.\n",
        "## Reading, settings, schemas, ledger\n",
        "All are errors where nothing else is said.\n",
        "| id | what is wrong |\n|---|---|\n"
        + "".join(f"| {rule} | {what} |\n" for rule, what in OTHERS.items()),
        "## Rules\n",
    ]
    for rule in RULES:
        kind = "" if rule.kind in ("*", "process") else f", for the kind `{_kind_with(rule.kind)}`"
        asked = f" Looked for with `{rule.settings.strip()}` in registry.yaml only." if rule.settings else ""
        parts.append(
            f"### {rule.id} {rule.title}\n\n{rule.severity.value.capitalize()}{kind}. {rule.why}{asked}\n"
        )
        parts.append(
            f"Found in:\n\n```yaml\n{rule.shown(rule.bad)}```\n\n"
            f"Not in:\n\n```yaml\n{rule.shown(rule.good)}```\n"
        )
    return "\n".join(parts)


def _kind_with(rules: str) -> str:
    """Return the first of the program's kinds that a set of rules applies to."""
    kinds, _ = load_kinds(WorkTree(DOCS.parent))
    return next(kind.name for kind in kinds if kind.uses(rules))


def changes() -> str:
    """Return the page that explains the levels of changes."""
    parts = [
        "# What a change means\n",
        "The table behind `registry diff` and `registry review`; "
        "written by `make accept` from the table itself.\n",
        "Breaking: somebody else must act first, or what ran yesterday would fail or answer "
        "differently in form. Risky: behaviour may change,\n"
        "and the registry cannot know. Safe: neither. The party is who must act first:\n",
        "".join(f"- **{party.value}**: {party.people}\n" for party in Party),
        "| id | change | level | party | reason | what to do |\n"
        "|---|---|---|---|---|---|\n"
        + "".join(
            f"| {row.id} | {row.title} | {row.level.value} | {', '.join(row.parties)} | "
            f"{row.reason} | {row.action} |\n"
            for row in TABLE.values()
        ),
        _CHANGES_END,
    ]
    return "\n".join(parts)


_CHANGES_END = """## What makes a level lower

- `lifecycle: experimental` before the change: one level less, but not for credentials and ids.
- Removing what was deprecated: safe from its `deprecation.sunset` on, risky before.

## Your own levels, and what fails a review

In `registry.yaml`, for the whole registry or for a folder; the longest folder's word counts:

```yaml
rules: {C122: breaking, C193: ignore}
folders: {experiments: {C140: safe}}
fail_on: {FEED: breaking, YIELD: breaking, experiments: {FEED: never}}
```

The settings that count are those of the base: a change cannot loosen what it is judged by. \
`--fail-on` of the command wins.
Without either, no change fails: `registry diff` ends with 0, and `registry review` fails for errors alone.
"""


def commands() -> str:
    """Return the page of all commands, from their click definitions."""
    parts = [
        "# Commands\n",
        "Written by `make accept` from the commands themselves. `registry COMMAND --help` prints the same.\n",
    ]
    context = click.Context(program, info_name="registry", **program.context_settings)
    found = {name: command for name in COMMANDS if (command := program.get_command(context, name))}
    parts.append(_command(context))
    rows = "".join(
        f"| [`{name}`](#registry-{name}) | {one.get_short_help_str(200)} |\n" for name, one in found.items()
    )
    parts.append(f"| command | purpose |\n|---|---|\n{rows}")
    parts += [_command(click.Context(one, parent=context, info_name=name)) for name, one in found.items()]
    return "\n".join(parts)


def _command(context: click.Context) -> str:
    """Return the section of one command: usage, description and options."""
    command = context.command
    usage = f"{context.command_path} {' '.join(command.collect_usage_pieces(context))}"
    parts = [f"## {context.command_path}\n", f"```text\n{usage}\n```\n"]
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            title, _, lines = paragraph.removeprefix("\b\n").partition("\n")
            parts.append(f"{title}\n\n```text\n{textwrap.dedent(lines)}\n```\n")
        else:
            parts.append(f"{paragraph}\n")
    records = [parameter.get_help_record(context) for parameter in command.params]
    rows = [record for parameter, record in zip(command.params, records, strict=True)
            if record is not None and isinstance(parameter, click.Option)]  # fmt: skip
    if rows:
        table = "".join(f"| `{_cell(names)}` | {_cell(text)} |\n" for names, text in rows)
        parts.append(f"| option | meaning |\n|---|---|\n{table}")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def schema_digests() -> str:
    """Return the digests of all texts that the program's schemas ever had: listed and current ones."""
    schemas = DOCS.parent / "schema"
    current = {
        f"{digest(file.read_bytes())}  {file.relative_to(schemas).as_posix()}"
        for file in schemas.rglob("*.schema.json")
        if file.name not in (ADAPTERS_INDEX, SETTINGS_SCHEMA)
    }
    lines = current | set(DIGESTS.read_text(encoding="ascii").splitlines())
    return "".join(f"{line}\n" for line in sorted(lines, key=lambda line: (line.split("  ")[1], line)))


def main() -> None:
    """Write all files."""
    DIGESTS.write_text(schema_digests(), encoding="ascii")
    (DOCS / "rules.md").write_text(rules(), encoding="utf-8")
    (DOCS / "changes.md").write_text(changes(), encoding="utf-8")
    (DOCS / "commands.md").write_text(commands(), encoding="utf-8")


if __name__ == "__main__":
    main()
