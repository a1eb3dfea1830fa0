"""What every renderer gives: files of the site, in units that are made again only when what they are made from has changed."""

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
    """One file of the site: its path below the site's folder and its bytes; `twins` are further paths with the same bytes.

    A large body comes in parts, made while they are written.
    """

    path: str
    body: bytes | Callable[[], Iterable[bytes]]
    twins: tuple[str, ...] = ()

    def parts(self) -> Iterable[bytes]:
        """The bytes, in one part or several."""
        return (self.body,) if isinstance(self.body, bytes) else self.body()

    def whole(self) -> bytes:
        """All bytes."""
        return self.body if isinstance(self.body, bytes) else b"".join(self.body())


class Target(NamedTuple):
    """Files that are made together, from the same inputs.

    `name` is theirs for ever; `key` is a digest of all that they are made from: the same key, the same bytes. `places` are the
    addresses (files or folders, without a slash at the end) that all of them lie at or below. One that `is_long` holds something of
    everything: it is begun first, so that nobody waits for it at the end. `needs` are the blob ids of the contents that it shows.
    """

    name: str
    key: str
    places: tuple[str, ...]
    make: Callable[[], Iterable[File]]
    is_long: bool = False
    needs: Callable[[], Iterable[str]] = tuple


class TargetGroup(NamedTuple):
    """Targets with known names and keys; each is put together when its number is asked for. `places` gives numbers by place."""

    names: Sequence[str]
    keys: Sequence[str]
    unit: Callable[[int], Target]
    places: Callable[[], Mapping[str, int]]


class Targets:
    """All units of a site, by name. After one edit most are neither made nor put together: their keys are as they were."""

    def __init__(
        self,
        parts: Iterable[Target | TargetGroup],
        prefetch: Callable[[Iterable[str]], None] = lambda _: None,
    ) -> None:
        """From single ones and groups. `prefetch` reads the contents that some targets need, all at once."""
        self.prefetch = prefetch
        self._parts = [
            TargetGroup((part.name,), (part.key,), _always(part), _places_of(part))
            if isinstance(part, Target)
            else part
            for part in parts
        ]
        # Of groups whose places were asked for.
        self._places: dict[int, Mapping[str, int]] = {}
        self.keys: dict[str, str] = {}
        for part in self._parts:
            self.keys.update(zip(part.names, part.keys, strict=True))

    def __iter__(self) -> Iterator[Target]:
        """Every one."""
        for part in self._parts:
            yield from map(part.unit, range(len(part.names)))

    def at(self, place: str) -> Target | None:
        """The target whose files lie at or below a place, or None."""
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
        """Groups of one target by each of its places."""
        return {place: part for part in self._parts if len(part.names) == 1 for place in part.places()}

    def other_than(self, keys: Mapping[str, str]) -> Iterator[Target]:
        """Those that have not these keys (by name)."""
        for part in self._parts:
            for number, (name, key) in enumerate(zip(part.names, part.keys, strict=True)):
                if keys.get(name) != key:
                    yield part.unit(number)


def _places_of(target: Target) -> Callable[[], Mapping[str, int]]:
    return lambda: dict.fromkeys(target.places, 0)


def _always(unit: Target) -> Callable[[int], Target]:
    return lambda _number: unit


def target_of(name: str, *files: File) -> Target:
    """A unit of files that are made already: small ones, whose bytes are their key."""
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
    """Units with the same inputs one behind the other: what was read for one is at hand for the next."""
    by_key: dict[str, list[Target]] = {}
    for unit in units:
        by_key.setdefault(unit.key, []).append(unit)
    return [unit for like in by_key.values() for unit in like]


def fingerprint_of(*parts: object) -> str:
    """A digest of plain values (text, numbers, lists of them)."""
    return hashlib.blake2b(orjson.dumps(parts, default=str), digest_size=16).hexdigest()


def files_by_path(files: Iterable[File]) -> Iterator[tuple[str, bytes]]:
    """Every path with its bytes, twins too."""
    for file in files:
        body = file.whole()
        yield file.path, body
        for twin in file.twins:
            yield twin, body


def json_file(folder: str, body: object) -> File:
    """`folder/index.json` and, for hosts without directory indexes, its twin `folder.json`."""
    path, twin = api_files(folder)
    return File(path, to_json(body), (twin,))


def to_json(body: object) -> bytes:
    """Compact JSON, keys in the order given, with a line end."""
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
