"""Metadata for Datasette, which shows the tables in a browser: titles, facets, search and queries; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.exchange.sql.sqlite_file import SEARCH_TABLE
from registry.exchange.sql.tables import DEFINITIONS, EXAMPLE_QUERIES, METADATA
from registry.load.yaml.writer import to_yaml

if TYPE_CHECKING:
    from registry.load.settings import Settings

_FACETS = {
    "definition": ["kind", "lifecycle"],
    "owner": ["owner"],
    "tag": ["tag"],
    "field": ["field", "value"],
    "environment": ["variable"],
    "adapter": ["direction", "type"],
    "revision": ["author"],
}


def datasette_metadata(settings: Settings, database: str) -> str:
    """Return the metadata of a registry as YAML. `database` is the name of the file without its ending."""
    tables: dict[str, Any] = {}
    for table in METADATA.sorted_tables:
        about = {column.name: column.comment for column in table.columns if column.comment}
        tables[table.name] = {
            "description": table.comment,
            **({"columns": about} if about else {}),
            **({"facets": _FACETS[table.name]} if table.name in _FACETS else {}),
        }
    tables[DEFINITIONS.name]["fts_table"] = SEARCH_TABLE
    about = {"description": settings.description} if settings.description else {}
    queries = {one.name: {"title": one.title, "sql": one.sql} for one in EXAMPLE_QUERIES}
    databases = {database: {"tables": tables, "queries": queries}}
    return to_yaml({"title": settings.title, **about, "databases": databases})
