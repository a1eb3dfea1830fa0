"""`registry rules`: the rules of the checker, and their reasons."""

from typing import TYPE_CHECKING

import click

from registry.cli.completers import complete_rules
from registry.cli.options import Format, format_option
from registry.cli.terminal import out, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from registry.check.rule import Rule


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

    rule_id = wanted.upper() if wanted is not None else None
    if rule_id in OTHERS:
        _show_other(rule_id, OTHERS[rule_id], format_)
        return
    chosen = [rule for rule in (*RULES, *plugin_rules()) if rule_id in (None, rule.id)]
    if not chosen:
        raise UsageError(f"there is no rule {wanted}", "`registry rules` lists them")
    if format_ == "json":
        write_json({"rules": [_as_json(rule) for rule in chosen]})
    elif rule_id is None:
        _list(chosen, OTHERS)
    else:
        _explain(chosen[0])


def _show_other(rule_id: str, title: str, format_: Format) -> None:
    """Show a rule outside of the checker, which has no examples."""
    if format_ == "json":
        write_json({"rules": [{"id": rule_id, "title": title}]})
    else:
        out.print(f"{rule_id}: {title}", markup=False)


def _as_json(rule: "Rule") -> dict[str, str]:
    return {
        "id": rule.id,
        "severity": rule.severity.value,
        "title": rule.title,
        "why": rule.why,
        "bad": rule.bad,
        "good": rule.good,
    }


def _list(rules: "Sequence[Rule]", others: "Mapping[str, str]") -> None:
    for rule in rules:
        out.print(f"{rule.id}  {rule.severity.value:<7}  {rule.title}", markup=False)
    for rule_id, title in others.items():
        # Rules outside of the checker are titles only: one that is not an error is marked in its title.
        severity = "warning" if "(a warning)" in title else "error"
        out.print(f"{rule_id}  {severity:<7}  {title}", markup=False)


def _explain(rule: "Rule") -> None:
    out.print_lines(f"{rule.id} ({rule.severity.value}): {rule.title}\n{rule.why}\n")
    bad, good = (_indented(rule.shown(example)) for example in (rule.bad, rule.good))
    out.print_lines(f"Bad example:\n{bad}\n\nGood example:\n{good}")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip("\n").split("\n"))
