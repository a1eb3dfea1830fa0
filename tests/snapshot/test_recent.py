"""The definitions that changed last, continued from one snapshot to the next."""

import random
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import pytest

from registry.history.archive import NO_REVISIONS, Revisions
from registry.model.definition import Definition, Summary
from registry.model.revision import Revision
from registry.snapshot.recent import RecentDefinitions

if TYPE_CHECKING:
    from registry.load.lookups import QualifiedName
    from registry.snapshot import Snapshot


class _State:
    """What `RecentDefinitions` reads of a snapshot."""

    def __init__(self, dates: dict[str, int | None]) -> None:
        self.dates = dates
        self.by_name: dict[QualifiedName, Definition] = {
            ("p", name): Definition("p", name, None, cast("Any", None), Summary()) for name in dates
        }
        self.definitions = tuple(self.by_name.values())

    def revisions_of_any(self, one: Definition) -> Revisions:
        date = self.dates[one.name]
        if date is None:
            return NO_REVISIONS
        text = f"2026-01-{1 + date // 24:02d}T{date % 24:02d}:00:00+00:00"
        return NO_REVISIONS.with_one_more(Revision(1, "c", "a", text, "m", one.name, "b" * 40, None))


def _names(recent: RecentDefinitions) -> list[str]:
    return [one.name for one in recent.definitions]


@pytest.mark.parametrize("seed", range(30))
def test_a_continued_table_has_the_same_definitions_as_a_new_one(seed: int) -> None:
    numbers = random.Random(seed)
    dates: dict[str, int | None] = {f"n{number}": numbers.randrange(600) for number in range(14)}
    with patch("registry.snapshot.recent.MOST_RECENT", 4), patch("registry.snapshot.recent._KEPT", 8):
        recent = RecentDefinitions.of(cast("Snapshot", _State(dates)))
        for _ in range(40):
            names = numbers.sample([*dates, "new1", "new2", "new3"], numbers.randrange(1, 4))
            for name in names:
                if numbers.random() < 0.4:
                    dates.pop(name, None)
                else:
                    dates[name] = numbers.choice([None, numbers.randrange(600), numbers.randrange(600)])
            state = cast("Snapshot", _State(dict(dates)))
            new = RecentDefinitions.of(state)
            recent = recent.after(state, {("p", name) for name in names}) or new
            assert _names(recent) == _names(new)


def test_an_edit_needs_no_look_at_other_definitions() -> None:
    dates: dict[str, int | None] = {f"n{number}": number for number in range(500)}
    recent = RecentDefinitions.of(cast("Snapshot", _State(dates)))
    dates["n7"] = 600
    state = _State(dates)
    state.definitions = ()
    found = recent.after(cast("Snapshot", state), {("p", "n7")})
    assert found is not None
    assert _names(found)[:2] == ["n7", "n499"]
