"""Ids of imported definitions: added to the ledger, or refused when another definition has them."""

from collections.abc import Mapping
from pathlib import Path

from registry.errors import RefusedError
from registry.ids import append, encode, in_safe_order, parse_ledger_files, plan_append
from registry.load import yaml
from registry.load.ledger_files import read_ledger_files
from registry.load.source import EntryType, WorkTree
from registry.model.definition import DEFINITIONS_FOLDER, id_of, kind_and_name

# What a 32-bit column holds, as the 2013 service's does. New ids follow the largest one: those after it must
# be free.
_LARGEST_ID = 2**31 - 1
_INSTEAD = "--new-ids imports without ids; `registry index` then assigns new ones"


def with_imported_ids(root: Path, ids: Mapping[str, int]) -> list[tuple[str, bytes | None]]:
    """Return the writes, in order, that add `ids` (by path) to the ledger of the registry at `root`.

    There are none if the ledger has no lines yet.
    The first run of `registry index` takes over the ids of all files. Later runs accept only ids in the
    ledger and would replace an imported one. Raises RefusedError when an id belongs to another definition, or
    when the ledger is broken or belongs to another registry.
    """
    source = WorkTree(root)
    _require_free(source, ids)
    settings = source.settings
    files = read_ledger_files(source)
    ledger, problems = parse_ledger_files(files, settings.registry_id)
    if problems:
        span = problems[0].span
        raise RefusedError(f"{span.path}:{span.line}: {problems[0].message}", problems[0].hint)
    if not ledger.entries:
        return []
    if ledger.registry_id != settings.registry_id:
        raise RefusedError(
            f"the ledger belongs to the registry {ledger.registry_id}, but this is "
            f"{settings.registry_id or 'none'}",
            "a fork assigns no ids",
        )
    events = []
    for path, number in sorted(ids.items(), key=lambda item: item[1]):
        kind, name = kind_and_name(path) or ("", "")
        last = ledger.latest.get((kind, number))
        if last is not None:
            state = "which was deleted" if last.state == "gone" else "which is in use"
            raise RefusedError(f"{path}: the id {number} was assigned to {last.name}, {state}", _INSTEAD)
        events.append((kind, number, name, "live"))
    planned = plan_append(files, encode(append(ledger, events, source.commit)))
    return in_safe_order(files.open, planned)


def _require_free(source: WorkTree, ids: Mapping[str, int]) -> None:
    """Raise RefusedError for an id that two definitions would have, or that is too large."""
    carriers: dict[str, dict[int, str]] = {(kind_and_name(path) or ("",))[0]: {} for path in ids}
    for entry in source.entries(DEFINITIONS_FOLDER):
        found = kind_and_name(entry.path)
        if found is None or found[0] not in carriers or entry.type is not EntryType.FILE:
            continue
        for _, data in source.read_many([entry.path]):
            document = yaml.read_data(data) if isinstance(data, bytes) else None
            number = id_of(document) if isinstance(document, dict) else None
            if number is not None:
                carriers[found[0]][number] = entry.path
    for path, number in ids.items():
        if number > _LARGEST_ID:
            raise RefusedError(f"{path}: the id {number} is larger than {_LARGEST_ID}", _INSTEAD)
        other = carriers[(kind_and_name(path) or ("",))[0]].setdefault(number, path)
        if other != path:
            raise RefusedError(f"{path}: the id {number} is also the id of {other}", _INSTEAD)
