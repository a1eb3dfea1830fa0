"""The definitions of a snapshot as one Parquet file, read from its tables in SQLite; pure.

The types of all columns are given: readers that infer them would make a column of each variable's name.
"""

from __future__ import annotations

import io
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from registry.exchange.sql.tables import PARQUET_COLUMNS

if TYPE_CHECKING:
    import sqlite3

_TYPES = {
    "VARCHAR": pa.string(),
    "VARCHAR[]": pa.list_(pa.string()),
    "MAP(VARCHAR, VARCHAR)": pa.map_(pa.string(), pa.string()),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    "JSON": pa.json_(),
}
_OF_DEFINITION = (
    *("kind", "name", "id", "title", "description", "lifecycle", "replaced_by", "executable", "document"),
)
_Place = tuple[str, str]


def parquet_file(tables: sqlite3.Connection) -> bytes:
    """Return the definitions in the tables of a database, in order of kind and name."""
    names = ", ".join(_OF_DEFINITION)
    found = tables.execute(f"SELECT {names} FROM definition ORDER BY kind, name").fetchall()
    columns: dict[str, list[Any]] = dict(
        zip(_OF_DEFINITION, map(list, zip(*found, strict=True)), strict=False)
    )
    places = [row[:2] for row in found]
    for name, values in (
        ("owners", _lists(tables, "owner", "owner")),
        ("tags", _lists(tables, "tag", "tag")),
        ("argv", _lists(tables, "argument", "value")),
        ("fields", _pairs(tables, "field", "field")),
        ("environment", _pairs(tables, "environment", "variable")),
    ):
        columns[name] = [values.get(place, []) for place in places]
    adapters = _adapters(tables)
    columns["adapters"] = [adapters.get(place, "[]") for place in places]
    revisions = _newest_revisions(tables)
    nothing = (None, None, None, None)
    newest = [revisions.get(place, nothing) for place in places]
    for number, name in enumerate(("revision", "changed", "commit_id", "author")):
        columns[name] = [row[number] for row in newest]
    arrays = {name: _array(columns.get(name, []), type_) for name, type_ in PARQUET_COLUMNS.items()}
    file = io.BytesIO()
    pq.write_table(pa.table(arrays), file, compression="zstd")
    return file.getvalue()


def _array(values: list[Any], type_: str) -> Any:
    if type_ == "JSON":
        return pa.ExtensionArray.from_storage(_TYPES[type_], pa.array(values, pa.string()))
    return pa.array(values, _TYPES[type_])


def _lists(tables: sqlite3.Connection, table: str, column: str) -> dict[_Place, list[str]]:
    found = defaultdict(list)
    for kind, name, value in tables.execute(
        f"SELECT kind, name, {column} FROM {table} ORDER BY kind, name, position"
    ):
        found[kind, name].append(value)
    return found


def _pairs(tables: sqlite3.Connection, table: str, key: str) -> dict[_Place, list[tuple[str, str]]]:
    found = defaultdict(list)
    for kind, name, word, value in tables.execute(
        f"SELECT kind, name, {key}, value FROM {table} ORDER BY kind, name, position"
    ):
        found[kind, name].append((word, value))
    return found


def _adapters(tables: sqlite3.Connection) -> dict[_Place, str]:
    found = defaultdict(list)
    for kind, name, direction, type_, parameters in tables.execute(
        "SELECT kind, name, direction, type, parameters FROM adapter ORDER BY kind, name, position"
    ):
        found[kind, name].append(
            {"direction": direction, "type": type_, "parameters": orjson.Fragment(parameters)}
        )
    return {place: orjson.dumps(some).decode() for place, some in found.items()}


def _newest_revisions(tables: sqlite3.Connection) -> dict[_Place, tuple[int, datetime | None, str, str]]:
    """Return number, date, commit and author of the newest revision of each definition."""
    found = {}
    # SQLite takes the other columns from the row with the maximum.
    for kind, name, position, date, commit, author in tables.execute(
        "SELECT kind, name, max(position), date_utc, commit_id, author FROM revision GROUP BY kind, name"
    ):
        changed = datetime.fromisoformat(date).replace(tzinfo=UTC) if date else None
        found[kind, name] = (position, changed, commit, author)
    return found
