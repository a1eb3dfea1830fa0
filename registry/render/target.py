"""Output of the renderers: files in targets. A target is rendered again only when its inputs have changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import orjson

from registry.model.addresses import api_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class File:
    """One file of the site.

    `path` is relative to the folder of the site, and `twins` are further paths with the same bytes. A large
    body comes in parts, which are generated while they are written.
    """

    path: str
    body: bytes | Callable[[], Iterable[bytes]]
    twins: tuple[str, ...] = ()

    def parts(self) -> Iterable[bytes]:
        """Return the bytes in one or several parts."""
        return (self.body,) if isinstance(self.body, bytes) else self.body()

    def whole(self) -> bytes:
        """Return all bytes."""
        return self.body if isinstance(self.body, bytes) else b"".join(self.body())


class Target(NamedTuple):
    """Files that are rendered together from the same inputs.

    `name` is permanent. `key` is a digest of all inputs: equal keys mean equal bytes. `places` are the
    addresses (files or folders, without a final slash) that contain all of the files. A target that `is_long`
    contains something of every definition; it starts first, so that it does not delay the end. `needs`
    returns the ids of the blobs that it shows.
    """

    name: str
    key: str
    places: tuple[str, ...]
    make: Callable[[], Iterable[File]]
    is_long: bool = False
    needs: Callable[[], Iterable[str]] = tuple


class TargetGroup(NamedTuple):
    """Targets with known names and keys; `unit` creates a target by its number.

    `places` returns the numbers of targets by place.
    """

    names: Sequence[str]
    keys: Sequence[str]
    unit: Callable[[int], Target]
    places: Callable[[], Mapping[str, int]]


class Targets:
    """All targets of a site by name.

    After one edit most targets are not even created, because their keys are unchanged.
    """

    def __init__(
        self,
        parts: Iterable[Target | TargetGroup],
        prefetch: Callable[[Iterable[str]], None] = lambda _: None,
    ) -> None:
        """Take targets and groups. `prefetch` reads blobs that some targets need, all at once."""
        self.prefetch = prefetch
        self._parts = [
            TargetGroup((part.name,), (part.key,), _always(part), _places_of(part))
            if isinstance(part, Target)
            else part
            for part in parts
        ]
        # Places of groups, computed on first use.
        self._places: dict[int, Mapping[str, int]] = {}
        self.keys: dict[str, str] = {}
        for part in self._parts:
            self.keys.update(zip(part.names, part.keys, strict=True))

    def __iter__(self) -> Iterator[Target]:
        """Yield every target."""
        for part in self._parts:
            yield from map(part.unit, range(len(part.names)))

    def at(self, place: str) -> Target | None:
        """Return the target whose files are at or below a place, or None."""
        found = self._by_place.get(place)
        if found is not None:
            return found.unit(0)
        for group_number, group in enumerate(self._parts):
            if len(group.names) > 1:
                if group_number not in self._places:
                    self._places[group_number] = group.places()
                number = self._places[group_number].get(place)
                if number is not None:
                    return group.unit(number)
        return None

    @cached_property
    def _by_place(self) -> Mapping[str, TargetGroup]:
        """Groups of one target, by each of its places."""
        return {place: part for part in self._parts if len(part.names) == 1 for place in part.places()}

    def other_than(self, keys: Mapping[str, str]) -> Iterator[Target]:
        """Yield the targets whose keys differ from `keys` (by name)."""
        for part in self._parts:
            for number, (name, key) in enumerate(zip(part.names, part.keys, strict=True)):
                if keys.get(name) != key:
                    yield part.unit(number)


def _places_of(target: Target) -> Callable[[], Mapping[str, int]]:
    return lambda: dict.fromkeys(target.places, 0)


def _always(unit: Target) -> Callable[[int], Target]:
    return lambda _number: unit


def target_of(name: str, *files: File) -> Target:
    """Return a target of small files that are rendered already. Its key is a digest of their bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        digest.update(file.whole())
    return Target(
        name,
        digest.hexdigest(),
        tuple(place for file in files for place in (file.path, *file.twins)),
        lambda: iter(files),
    )


def grouped_by_fingerprint(units: Iterable[Target]) -> list[Target]:
    """Return targets with the same inputs next to each other, so that the inputs are read once."""
    by_key: dict[str, list[Target]] = {}
    for unit in units:
        by_key.setdefault(unit.key, []).append(unit)
    return [unit for like in by_key.values() for unit in like]


def fingerprint_of(*parts: object) -> str:
    """Return a digest of plain values (text, numbers, and lists of them)."""
    return hashlib.blake2b(orjson.dumps(parts, default=str), digest_size=16).hexdigest()


def files_by_path(files: Iterable[File]) -> Iterator[tuple[str, bytes]]:
    """Yield every path with its bytes, including twins."""
    for file in files:
        body = file.whole()
        yield file.path, body
        for twin in file.twins:
            yield twin, body


def json_file(folder: str, body: object) -> File:
    """Return `folder/index.json` with its twin `folder.json` for hosts without directory indexes."""
    path, twin = api_files(folder)
    return File(path, to_json(body), (twin,))


def to_json(body: object) -> bytes:
    """Return compact JSON with keys in the given order and a final line feed."""
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
