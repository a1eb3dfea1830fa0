"""`registry rules`: what the checker looks for, and why."""

from typing import Annotated

import typer

from registry.cli.terminal import Format, FormatOption, out, write_json


def command(
    wanted: Annotated[
        str | None, typer.Argument(help="Explain one rule, as in A021.", metavar="[RULE]")
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """List the rules of the checker, or explain one with a bad and a good example.

    Examples: `registry rules` · `registry rules A021`
    """
    from registry.check import OTHERS, RULES
    from registry.check.plugins import plugin_rules
    from registry.errors import UsageError

    if wanted is not None and wanted.upper() in OTHERS:
        rule_id = wanted.upper()
        if format_ is Format.JSON:
            write_json({"rules": [{"id": rule_id, "title": OTHERS[rule_id]}]})
        else:
            out.print(f"{rule_id}: {OTHERS[rule_id]}", markup=False)
        return
    chosen = [rule for rule in (*RULES, *plugin_rules()) if wanted is None or rule.id == wanted.upper()]
    if not chosen:
        raise UsageError(f"there is no rule {wanted}", "`registry rules` lists them")
    if format_ is Format.JSON:
        listed = [
            {
                "id": rule.id,
                "severity": rule.severity.value,
                "title": rule.title,
                "why": rule.why,
                "bad": rule.bad,
                "good": rule.good,
            }
            for rule in chosen
        ]
        write_json({"rules": listed})
    elif wanted is None:
        for rule in chosen:
            out.print(f"{rule.id}  {rule.severity.value:<7}  {rule.title}", markup=False)
        for rule_id, title in OTHERS.items():
            out.print(
                f"{rule_id}  {'warning' if '(a warning)' in title else 'error':<7}  {title}", markup=False
            )
    else:
        rule = chosen[0]
        out.print_lines(f"{rule.id} ({rule.severity.value}): {rule.title}\n{rule.why}\n")
        out.print_lines(
            f"Found in:\n{_indented(rule.shown(rule.bad))}\n\nNot in:\n{_indented(rule.shown(rule.good))}"
        )


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip("\n").split("\n"))
