"""The golden reports: each row of the table, in both directions, as `registry diff` says it. `make accept` writes them anew."""

from pathlib import Path

from registry.changes import Comparison
from registry.load.settings import Settings
from registry.reports.changes import text
from tests.changes.test_table import APPLICATION, APPLICATION_CASES, CASES, PROCESS, define, differ, put

FILE = Path(__file__).with_name("golden.txt")


def reports() -> str:
    """All of them, one after the other."""
    parts = []
    for document, kind, cases in (
        (PROCESS, "process_definition", CASES),
        (APPLICATION, "application", APPLICATION_CASES),
    ):
        for place, old, new, _, _ in cases:
            one, other = (define(put(document, place, value), kind=kind) for value in (old, new))
            for before, after, direction in ((one, other, "→"), (other, one, "←")):
                comparison = Comparison("0" * 40, "1" * 40, differ([before], [after]), Settings())
                body = text.report(comparison).split("\n", 2)[2]
                parts.append(f"==== {kind} {place} {direction}\n{body}")
    return "\n".join(parts)


if __name__ == "__main__":
    FILE.write_text(reports(), encoding="utf-8")
