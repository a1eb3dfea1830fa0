"""A comparison for a comment on a pull request. Text of the definitions is hostile: it is only ever shown as code."""

import re

from registry.changes import Changed, Comparison, Level, Meaning
from registry.model.characters import visible
from registry.model.diff import MISSING
from registry.reports.changes.words import NO_CHANGES, affected, between, summary, title, value, who

AT_MOST = 60_000
"""Bytes of a comment; forges take 65,536 characters and more."""
_LONGEST = 600
_SIGNS = {Level.BREAKING: "🛑", Level.RISKY: "⚠️", Level.SAFE: "✅"}


def report(comparison: Comparison, *, width: int = 0, color: bool = False) -> str:
    """The summary first, then what is breaking and risky, then the safe rest folded; cut where it would be too long."""
    head = f"**{NO_CHANGES if not comparison.changed else summary(comparison)}** <sub>{between(comparison)}</sub>\n"
    if comparison.note:
        head += f"\n{code(comparison.note)}\n"
    return cut(head, sections(comparison))


def sections(comparison: Comparison) -> list[str]:
    """A section for each definition with a change that is not safe, and one for all that is."""
    grave = [_definition(one, safe=False) for one in comparison.changed if one.level is not Level.SAFE]
    safe = [
        _definition(one, safe=True)
        for one in comparison.changed
        if any(each.level is Level.SAFE for each in one.meanings)
    ]
    return [*grave, *([folded(f"{len(safe):,} with safe changes", safe)] if safe else [])]


def cut(head: str, parts: list[str], at_most: int = AT_MOST) -> str:
    """Head and as many parts as fit, with a pointer to the rest."""
    room = at_most - len(head.encode()) - 200
    taken: list[str] = []
    for place, section in enumerate(parts):
        room -= len(section.encode()) + 1
        if room < 0:
            left = len(parts) - place
            taken.append(
                f"… and {left:,} more section{'' if left == 1 else 's'}: too long for a comment. `registry diff` shows everything.\n"
            )
            break
        taken.append(section)
    return "\n".join([head, *taken])


def _definition(changed: Changed, *, safe: bool) -> str:
    meanings = [one for one in changed.meanings if (one.level is Level.SAFE) is safe]
    lines = [f"### {_SIGNS[meanings[0].level]} {code(title(changed))}\n"]
    said = [f"owners: {', '.join(code(one) for one in changed.owners)}"] if changed.owners else []
    if changed.affects and not safe:
        said.append(code(affected(changed)))
    if said:
        lines.append(" · ".join(said) + "\n")
    lines += [_meaning(one) for one in meanings]
    return "\n".join(lines) + "\n"


def _meaning(one: Meaning) -> str:
    note = f" ({escaped(one.note)})" if one.note else ""
    lines = [
        f"- **{one.level.value}** {one.rule}{f' {code(one.pointer)}' if one.pointer else ''}: {one.title}{note}"
    ]
    if one.level is not Level.SAFE:
        lines.append(f"  <br>{escaped(one.reason)}" + (f". **{escaped(who(one))}**" if who(one) else ""))
    if one.old is not MISSING or one.new is not MISSING:
        lines.append(_fenced(one))
    return "\n".join(lines)


def _fenced(one: Meaning) -> str:
    """Old and new as a block of a diff, in a fence that nothing in it can end."""
    rows = [
        f"{sign} {line}"
        for sign, found in (("-", one.old), ("+", one.new))
        if found is not MISSING
        for line in _rows(value(found))
    ]
    longest = max((len(run) for row in rows for run in re.findall(r"`+", row)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join(f"  {row}" for row in (f"{fence}diff", *rows, fence))


def _rows(text: str) -> list[str]:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"
    return [visible(row) for row in shown.split("\n")]


def folded(heading: str, parts: list[str]) -> str:
    """Parts behind a heading that opens them."""
    return cut(f"<details><summary>{heading}</summary>\n", parts, AT_MOST // 2) + "\n</details>\n"


def code(text: str) -> str:
    """Text of a stranger on one line, as code: no markup, no links, no mentions."""
    plain = visible(text)
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", plain)), default=0))
    space = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{ticks}{space}{plain}{space}{ticks}" if plain else ""


def escaped(text: str) -> str:
    """Our own words with names of strangers in them: nothing of it is markup, a link or a mention."""
    plain = visible(text)
    plain = re.sub(
        r"([\\`*_{}\[\]()#+!|<>~&])",
        lambda found: f"\\{found[1]}" if found[1] not in "<>&" else f"&#{ord(found[1])};",
        plain,
    )
    return plain.replace("@", "@\u200b").replace("://", ":\u200b//")
