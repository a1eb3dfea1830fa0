"""What the next generation of a site is made from; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

KEPT_GENERATIONS = 3
# Below this share of targets that are the same, copying the latest generation saves nothing.
_WORTH_COPYING = 0.4
# From so many changed targets on, finding out which of them the latest generation has saves more than it takes.
_WORTH_LINKING = 200


class Generation(NamedTuple):
    """A generation that is on disk as it was written.

    `slot` is its place in the manifest, `folder` its name, `files` their number, `fingerprints` those of its targets by name.
    """

    slot: int
    folder: str
    files: int
    fingerprints: Mapping[str, str]


class Base(StrEnum):
    """Where the folder of the next generation comes from."""

    SCRATCH = "scratch"
    COPY = "copy"
    """A copy of the latest generation, made of hard links."""
    OLDEST = "oldest"
    """The oldest kept generation, which is not needed any more."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to get from what is on disk to the wanted targets.

    `start` is the generation that the folder comes from (None: from scratch). Of its targets, those in `remove` are not wanted any
    more, and those in `make` are new or have changed; of these, the ones in `link` are in the latest generation already.
    """

    base: Base
    start: Generation | None
    make: frozenset[str]
    link: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()


def plan(
    known: Sequence[Generation], latest: Generation | None, folders: Sequence[str], wanted: Mapping[str, str]
) -> Plan:
    """The plan for the targets `wanted` (fingerprints by name).

    `known` are the usable generations, oldest first, `latest` is the one that is served now, where it is usable. `folders` are
    the names of all generations on disk, usable or not, oldest first.
    """
    if latest is None:
        return from_scratch(wanted)
    oldest = known[0]
    if (
        len(folders) >= KEPT_GENERATIONS
        and oldest.folder == folders[-KEPT_GENERATIONS]
        and oldest is not latest
    ):
        # Even where everything has changed: its folders are there already, and it would have to be removed.
        return _starting_from(Base.OLDEST, oldest, latest, wanted)
    same = sum(latest.fingerprints.get(name) == fingerprint for name, fingerprint in wanted.items())
    if same < _WORTH_COPYING * len(wanted):
        return from_scratch(wanted)
    return _starting_from(Base.COPY, latest, latest, wanted)


def from_scratch(wanted: Mapping[str, str]) -> Plan:
    """The plan that uses nothing of what is on disk."""
    return Plan(Base.SCRATCH, None, frozenset(wanted))


def _starting_from(base: Base, start: Generation, latest: Generation, wanted: Mapping[str, str]) -> Plan:
    before = start.fingerprints
    make = frozenset([name for name, fingerprint in wanted.items() if before.get(name) != fingerprint])
    link: frozenset[str] = frozenset()
    if start is not latest and len(make) >= _WORTH_LINKING:
        # As after a change of a template or of the settings: everything was made for the latest generation.
        link = frozenset([name for name in make if latest.fingerprints.get(name) == wanted[name]])
    return Plan(base, start, make, link, frozenset(before.keys() - wanted.keys()))
