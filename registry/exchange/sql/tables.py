"""The tables of an export, and their documentation.

Keys are natural (kind, name, position), so an export that only writes differences and one into an empty
database give equal rows. Names are compared byte by byte in every database.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Column, DateTime, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects import mysql

SCHEMA_VERSION = 1
"""The version of the tables. Another one in a database is refused."""

# Bytes: a name has at most 200, a kind 63.
_NAME, _KIND = 255, 63
# MariaDB's TEXT ends at 65,535 bytes, and its usual collations ignore case.
_LONG = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}

METADATA = MetaData()


def _table(name: str, comment: str, *columns: Column[Any] | Index) -> Table:
    return Table(name, METADATA, *columns, comment=comment, **_OPTIONS)


def _of_definition(name: str, comment: str, *columns: Column[Any] | Index) -> Table:
    """A table with rows of a definition, numbered from 1 in the order of the file."""
    return _table(
        name,
        comment,
        Column("kind", String(_KIND), primary_key=True),
        Column("name", String(_NAME), primary_key=True),
        Column("position", Integer, primary_key=True, autoincrement=False),
        *columns,
    )


STATE = _table(
    "registry_state",
    "One row: what the other tables contain.",
    Column("only", Integer, primary_key=True, autoincrement=False, comment="always 1"),
    Column("schema_version", Integer, nullable=False, comment="version of these tables"),
    Column("registry_id", String(64), nullable=False, comment='"" before ids were assigned'),
    Column("commit_id", String(64), comment="the exported commit; NULL without one"),
    Column("commit_time", String(40), comment="its date, ISO 8601"),
    Column("is_dirty", Integer, nullable=False, comment="1 with changes that were not committed"),
    Column("ledger_lines", Integer, nullable=False, comment="number of lines of the ledger"),
    Column("ledger_head", String(64), nullable=False, comment="SHA-256 of the last line"),
)
DEFINITIONS = _table(
    "definition",
    "A definition of any kind.",
    Column("kind", String(_KIND), primary_key=True),
    Column("name", String(_NAME), primary_key=True),
    Column("id", Integer, comment="unique in its kind; NULL before one is assigned"),
    Column("title", _LONG, nullable=False),
    Column("description", _LONG, nullable=False),
    Column("lifecycle", String(32), nullable=False),
    Column("executable", _LONG, comment="NULL for a kind without a command"),
    Column("replaced_by", String(_NAME), comment="name of the replacement of a deprecated definition"),
    Column("document", _LONG, nullable=False, comment="the whole file as JSON, in the order of its keys"),
    Column("digest", String(32), nullable=False, comment="of all that the rows of a definition contain"),
    Index("definition_by_id", "kind", "id"),
)
ARGUMENT = _of_definition(
    "argument",
    "An argument of the executable.",
    Column("value", _LONG, nullable=False),
)
ENVIRONMENT = _of_definition(
    "environment",
    "An environment variable.",
    Column("variable", _LONG, nullable=False),
    Column("value", _LONG, nullable=False),
)
ADAPTER = _of_definition(
    "adapter",
    "The way that data reaches or leaves a process.",
    Column("direction", String(8), nullable=False, comment="input or output"),
    Column("type", _LONG, nullable=False),
    Column("parameters", _LONG, nullable=False, comment="a JSON object"),
)
OWNER = _of_definition("owner", "An owner.", Column("owner", _LONG, nullable=False))
TAG = _of_definition("tag", "A tag.", Column("tag", _LONG, nullable=False))
FIELD = _of_definition(
    "field",
    "A field that lists of the kind can be filtered by, for example application or process_type.",
    Column("field", _LONG, nullable=False),
    Column("value", _LONG, nullable=False),
)
REVISION = _of_definition(
    "revision",
    "A change of a definition. Its position is the number of the revision, 1 for the oldest.",
    Column("commit_id", String(64), comment="NULL before it is committed"),
    Column("author", _LONG, nullable=False),
    Column("date", String(40), nullable=False, comment="ISO 8601 with the offset of the author"),
    Column("date_utc", DateTime, comment="the same moment in UTC; NULL before it is committed"),
    Column("message", _LONG, nullable=False),
    Column("name_then", _LONG, nullable=False, comment="name of the definition at that revision"),
    Column("blob_id", String(64), comment="git's id of the file; NULL for a deletion"),
)
DELETED = _table(
    "deleted_definition",
    "A definition that was deleted. Its id is never assigned again.",
    Column("kind", String(_KIND), primary_key=True),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", _LONG, nullable=False),
    Column("commit_id", String(64), comment="the commit that deleted it"),
    Column("date", String(40), nullable=False),
)

PARTS = (ARGUMENT, ENVIRONMENT, ADAPTER, OWNER, TAG, FIELD, REVISION)
"""The tables with rows of definitions, besides `DEFINITIONS`."""

PARQUET_COLUMNS = {
    "kind": "VARCHAR",
    "name": "VARCHAR",
    "id": "BIGINT",
    "title": "VARCHAR",
    "description": "VARCHAR",
    "lifecycle": "VARCHAR",
    "replaced_by": "VARCHAR",
    "owners": "VARCHAR[]",
    "tags": "VARCHAR[]",
    "fields": "MAP(VARCHAR, VARCHAR)",
    "executable": "VARCHAR",
    "argv": "VARCHAR[]",
    "environment": "MAP(VARCHAR, VARCHAR)",
    "adapters": "JSON",
    "revision": "INTEGER",
    "changed": "TIMESTAMP WITH TIME ZONE",
    "commit_id": "VARCHAR",
    "author": "VARCHAR",
    "document": "JSON",
}
"""The columns of the Parquet file, in order, with their types as DuckDB shows them.

`revision`, `changed`, `commit_id` and `author` are of the newest revision.
"""


class ExampleQuery(NamedTuple):
    """A query for the documentation and for Datasette."""

    name: str
    title: str
    sql: str


EXAMPLE_QUERIES = (
    ExampleQuery(
        "of_one_folder",
        "Definitions that run a program of a folder",
        "SELECT kind, id, name FROM definition WHERE executable LIKE '/opt/weather/%'",
    ),
    ExampleQuery(
        "with_a_variable",
        "Definitions with an environment variable, and its value",
        "SELECT d.name, e.value FROM definition d JOIN environment e ON e.kind = d.kind AND e.name = d.name "
        "WHERE e.variable = 'ZONE'",
    ),
    ExampleQuery(
        "by_application",
        "Definitions by application",
        "SELECT value, count(*) FROM field WHERE kind = 'process_definition' AND field = 'application' "
        "GROUP BY value ORDER BY 2 DESC",
    ),
    ExampleQuery(
        "changed_in_a_month",
        "Definitions that changed in a month",
        "SELECT DISTINCT kind, name FROM revision WHERE date_utc >= '2026-01-01' AND date_utc < '2026-02-01'",
    ),
)
