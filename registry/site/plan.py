"""Plans how the next generation of a site is made. Pure: no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

KEPT_GENERATIONS = 3
# Below this share of unchanged targets, a copy of the latest generation saves nothing.
_WORTH_COPYING = 0.4
# From this number of changed targets on, looking them up in the latest generation saves time.
_WORTH_LINKING = 200


class Generation(NamedTuple):
    """A generation on disk that is as it was written.

    `folder_id` stays with its folder when the folder is renamed. `fingerprints` are those of its targets by
    name.
    """

    folder_id: int
    folder: str
    files: int
    fingerprints: Mapping[str, str]


class Base(StrEnum):
    """Starting point of the folder of the next generation."""

    SCRATCH = "scratch"
    COPY = "copy"
    """A copy of the latest generation, made of hard links."""
    OLDEST = "oldest"
    """The oldest kept generation, which is no longer needed."""
    INTERRUPTED = "interrupted"
    """What an interrupted write left. Its files are compared with the wanted ones, byte for byte."""


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """Steps from the state on disk to the wanted targets.

    `start` is the generation that the folder comes from, or None to start from scratch. `remove` are its
    targets that are no longer wanted. `make` are targets that are new or changed; those in `link` are already
    in the latest generation.
    """

    base: Base
    start: Generation | None
    make: frozenset[str]
    link: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()


def plan_generation(
    usable: Sequence[Generation], latest: Generation | None, folders: Sequence[str], wanted: Mapping[str, str]
) -> GenerationPlan:
    """Return the plan for the targets `wanted` (fingerprints by name).

    `usable` are the generations that can be trusted, oldest first. `latest` is the current generation, or
    None if it is not usable. `folders` are the names of all generations on disk, oldest first.
    """
    if latest is None:
        return from_scratch(wanted)
    oldest = usable[0]
    if (
        len(folders) >= KEPT_GENERATIONS
        and oldest.folder == folders[-KEPT_GENERATIONS]
        and oldest is not latest
    ):
        # Even when all targets have changed: its folders exist already, and it would have to be removed.
        return _starting_from(Base.OLDEST, oldest, latest, wanted)
    unchanged = sum(latest.fingerprints.get(name) == fingerprint for name, fingerprint in wanted.items())
    if unchanged < _WORTH_COPYING * len(wanted):
        return from_scratch(wanted)
    return _starting_from(Base.COPY, latest, latest, wanted)


def from_scratch(wanted: Mapping[str, str]) -> GenerationPlan:
    """Return the plan that reuses nothing on disk."""
    return GenerationPlan(Base.SCRATCH, None, frozenset(wanted))


def _starting_from(
    base: Base, start: Generation, latest: Generation, wanted: Mapping[str, str]
) -> GenerationPlan:
    before = start.fingerprints
    make = frozenset([name for name, fingerprint in wanted.items() if before.get(name) != fingerprint])
    link: frozenset[str] = frozenset()
    if start is not latest and len(make) >= _WORTH_LINKING:
        # For example after a change of a template or a setting: all targets are in the latest generation.
        link = frozenset([name for name in make if latest.fingerprints.get(name) == wanted[name]])
    return GenerationPlan(base, start, make, link, frozenset(before.keys() - wanted.keys()))
