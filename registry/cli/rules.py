"""`registry rules`: the rules of the checker, and their reasons."""

import click

from registry.cli.completers import complete_rules
from registry.cli.options import Format, format_option
from registry.cli.terminal import out, write_json


@click.command("rules")
@click.argument("wanted", metavar="[RULE]", required=False, shell_complete=complete_rules)
@format_option
def command(wanted: str | None, format_: Format) -> None:
    """List the rules of the checker, or explain one.

    RULE is the id of a rule. The explanation has a bad and a good example.

    \b
    Examples:
      registry rules
      registry rules A021
    """
    from registry.check import OTHERS, RULES
    from registry.check.plugins import plugin_rules
    from registry.errors import UsageError

    if wanted is not None and wanted.upper() in OTHERS:
        rule_id = wanted.upper()
        if format_ == "json":
            write_json({"rules": [{"id": rule_id, "title": OTHERS[rule_id]}]})
        else:
            out.print(f"{rule_id}: {OTHERS[rule_id]}", markup=False)
        return
    chosen = [rule for rule in (*RULES, *plugin_rules()) if wanted is None or rule.id == wanted.upper()]
    if not chosen:
        raise UsageError(f"there is no rule {wanted}", "`registry rules` lists them")
    if format_ == "json":
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
            f"Bad example:\n{_indented(rule.shown(rule.bad))}\n\nGood example:\n{_indented(rule.shown(rule.good))}"
        )


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip("\n").split("\n"))
