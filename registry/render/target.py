"""Output of the renderers: files in targets. A target is rendered again only when its inputs have changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import orjson

from registry.model.addresses import api_files

if TYPE_CHECKING:
    from collections.abc import Sequence


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


FileSelection = Callable[[Iterable[File]], Iterator[File]]


class Target(NamedTuple):
    """Files that are rendered together from the same inputs.

    `name` is permanent. `fingerprint` is a digest of all inputs: equal fingerprints mean equal bytes.
    `prefixes` are paths without a final slash; each file is at or below one of them. A target that
    `is_long` contains something of every definition; it starts first, so that it does not delay the end.
    `needs` returns the ids of the blobs that it shows.
    """

    name: str
    fingerprint: str
    prefixes: tuple[str, ...]
    make: Callable[[], Iterable[File]]
    is_long: bool = False
    needs: Callable[[], Iterable[str]] = tuple

    def only(self, selected: FileSelection) -> Target:
        """Return the target with selected files."""
        return self._replace(make=lambda: selected(self.make()))


class TargetGroup(NamedTuple):
    """Targets with known names and fingerprints; `target` creates one of them by its number.

    `numbers_by_prefix` returns the numbers of the targets by each of their prefixes.
    """

    names: Sequence[str]
    fingerprints: Sequence[str]
    target: Callable[[int], Target]
    numbers_by_prefix: Callable[[], Mapping[str, int]]

    def only(self, selected: FileSelection) -> TargetGroup:
        """Return the targets with selected files."""
        return self._replace(target=lambda number: self.target(number).only(selected))


class Targets:
    """All targets of a site by name.

    After one edit most targets are not even created, because their fingerprints are unchanged.
    """

    def __init__(
        self,
        parts: Iterable[Target | TargetGroup],
        prefetch: Callable[[Iterable[str]], None] = lambda _: None,
    ) -> None:
        """Take targets and groups. `prefetch` reads blobs that some targets need, all at once."""
        self.prefetch = prefetch
        self._parts = [
            TargetGroup((part.name,), (part.fingerprint,), _always(part), _numbers_by_prefix(part))
            if isinstance(part, Target)
            else part
            for part in parts
        ]
        # By the number of the group, computed on first use: a build never asks for a path.
        self._numbers_by_prefix: dict[int, Mapping[str, int]] = {}
        self.fingerprints: dict[str, str] = {}
        for part in self._parts:
            self.fingerprints.update(zip(part.names, part.fingerprints, strict=True))

    def __iter__(self) -> Iterator[Target]:
        """Yield every target."""
        for part in self._parts:
            yield from map(part.target, range(len(part.names)))

    def at(self, prefix: str) -> Target | None:
        """Return the target that has this prefix, or None."""
        found = self._single_by_prefix.get(prefix)
        if found is not None:
            return found.target(0)
        for group_number, group in enumerate(self._parts):
            if len(group.names) > 1:
                if group_number not in self._numbers_by_prefix:
                    self._numbers_by_prefix[group_number] = group.numbers_by_prefix()
                number = self._numbers_by_prefix[group_number].get(prefix)
                if number is not None:
                    return group.target(number)
        return None

    @cached_property
    def _single_by_prefix(self) -> Mapping[str, TargetGroup]:
        """Groups of one target, by each of its prefixes."""
        return {
            prefix: part
            for part in self._parts
            if len(part.names) == 1
            for prefix in part.numbers_by_prefix()
        }

    def changed_since(self, fingerprints: Mapping[str, str]) -> Iterator[Target]:
        """Yield the targets whose fingerprints differ from `fingerprints` (by name)."""
        for part in self._parts:
            for number, (name, fingerprint) in enumerate(zip(part.names, part.fingerprints, strict=True)):
                if fingerprints.get(name) != fingerprint:
                    yield part.target(number)


def _numbers_by_prefix(target: Target) -> Callable[[], Mapping[str, int]]:
    return lambda: dict.fromkeys(target.prefixes, 0)


def _always(target: Target) -> Callable[[int], Target]:
    return lambda _number: target


def rendered_target(name: str, *files: File) -> Target:
    """Return a target of small files that are rendered already.

    Its fingerprint is a digest of their bytes.
    """
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        digest.update(file.whole())
    return Target(
        name,
        digest.hexdigest(),
        tuple(path for file in files for path in (file.path, *file.twins)),
        lambda: iter(files),
    )


def grouped_by_fingerprint(targets: Iterable[Target]) -> list[Target]:
    """Return targets with the same inputs next to each other, so that the inputs are read once."""
    groups: dict[str, list[Target]] = {}
    for target in targets:
        groups.setdefault(target.fingerprint, []).append(target)
    return [target for group in groups.values() for target in group]


def digest_of(*parts: object) -> str:
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
