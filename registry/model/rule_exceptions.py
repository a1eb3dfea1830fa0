"""Reviewed exceptions from rules: the `ignore` list of a definition; pure."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from registry.model.pointer import steps_of
from registry.model.values import list_of


class RuleException(NamedTuple):
    """One item of an `ignore` list.

    `place` is its index in the list. `steps` are the steps of its JSON Pointer: it covers the value there and
    everything below. Without steps it covers the whole file.
    """

    place: int
    rule: str
    steps: tuple[str, ...]

    def covers(self, rule: str, steps: tuple[str | int, ...]) -> bool:
        """True when a finding of `rule` about the value at `steps` is excepted.

        Steps are compared as whole steps.
        """
        return self.rule == rule and self.steps == tuple(map(str, steps[: len(self.steps)]))


def exceptions_in(document: dict[str, Any]) -> Iterator[RuleException]:
    """Yield the exceptions in a document.

    Items without a rule or a reason, or with an invalid path, are skipped.
    """
    for place, item in enumerate(list_of(document.get("ignore"))):
        if not isinstance(item, dict):
            continue
        rule, reason, path = item.get("rule"), item.get("reason"), item.get("path", "")
        if isinstance(rule, str) and isinstance(reason, str) and reason.strip() and isinstance(path, str):
            trimmed = path.rstrip("/")
            if not trimmed or trimmed.startswith("/"):
                yield RuleException(place, rule, steps_of(trimmed))


def is_excepted(exceptions: Iterable[RuleException], rule: str, steps: tuple[str | int, ...]) -> bool:
    """True when one of `exceptions` covers a finding of `rule` about the value at `steps`."""
    return any(one.covers(rule, steps) for one in exceptions)
