"""Export a snapshot to an SQL database: a view of one commit for queries, which is never read back.

The tables are in `tables`. One transaction writes the definitions that differ from the database, found by a
digest per definition, so readers see one commit or the next.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import bindparam, delete, insert, inspect, select, update

from registry.cache.cache_file import program_digest
from registry.errors import RefusedError
from registry.exchange.sql.database import Database, insert_rows
from registry.exchange.sql.rows import deleted_rows, rows_of
from registry.exchange.sql.tables import DEFINITIONS, DELETED, METADATA, PARTS, SCHEMA_VERSION, STATE
from registry.git import GitError
from registry.ids import Mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row, Table

    from registry.exchange.sql.rows import Row as Values
    from registry.git import Repository
    from registry.model.definition import Definition
    from registry.progress import Progress
    from registry.snapshot import Snapshot

_NEW_DATABASE = "export to an empty database"
# Rows that are sent together: a statement for each row takes ten times as long.
_MANY = 5_000

_Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did: number of definitions in the database, and how many were written and removed."""

    commit: str | None
    definitions: int
    written: int
    removed: int


def export_to_sql(
    snapshot: Snapshot, repository: Repository | None, database: Database, progress: Progress
) -> Exported:
    """Make the tables of `database` contain exactly `snapshot`, in one transaction.

    Raises RefusedError when the database contains another registry, a later commit, or tables that are not of
    this program; DatabaseError when the database fails. Nothing is changed then.
    """
    _create_tables(database)
    progress("comparing with the database")
    with database.transaction() as connection:
        state = connection.execute(select(STATE).with_for_update()).one()
        _refuse_other_state(state, snapshot, repository, database)
        return update_tables(connection, snapshot, progress)


def update_tables(connection: Connection, snapshot: Snapshot, progress: Progress) -> Exported:
    """Make the tables of a database contain exactly `snapshot`, whatever they contain.

    There is a row of the state, see `create_state`.
    """
    digests = _digests(snapshot)
    known: dict[_Place, str] = {
        (kind, name): digest
        for kind, name, digest in connection.execute(
            select(DEFINITIONS.c.kind, DEFINITIONS.c.name, DEFINITIONS.c.digest)
        )
    }
    removed = [place for place in known if place not in digests]
    changed = [one for one in snapshot.definitions if known.get(one[:2]) != digests[one[:2]]]
    _remove(connection, [*removed, *(one[:2] for one in changed if one[:2] in known)], len(known))
    _write(connection, snapshot, changed, digests, progress)
    connection.execute(delete(DELETED))
    insert_rows(connection, deleted_rows(snapshot))
    connection.execute(update(STATE).values(**state_of(snapshot)))
    return Exported(snapshot.commit, len(digests), len(changed), len(removed))


def _create_tables(database: Database) -> None:
    """Create missing tables, and the row of the state, which exports lock.

    The table of the state is the first one, because MariaDB commits each table.
    """
    with database.exclusive() as connection:
        present = frozenset(inspect(connection).get_table_names())
        if STATE.name not in present and (foreign := sorted(present & METADATA.tables.keys())):
            raise RefusedError(
                f"{database.name} has a table `{foreign[0]}` that is not of a registry", _NEW_DATABASE
            )
        STATE.create(connection, checkfirst=True)
        METADATA.create_all(connection)
        create_state(connection)


def create_state(connection: Connection) -> None:
    """Insert the row of the state if it is missing."""
    if connection.execute(select(STATE.c.only)).first() is None:
        empty = {"registry_id": "", "is_dirty": 0, "ledger_lines": 0, "ledger_head": ""}
        connection.execute(insert(STATE).values(only=1, schema_version=SCHEMA_VERSION, **empty))


def _refuse_other_state(
    state: Row[tuple[object, ...]], snapshot: Snapshot, repository: Repository | None, database: Database
) -> None:
    """Raise RefusedError unless the snapshot continues what the database contains."""
    if state.schema_version != SCHEMA_VERSION:
        raise RefusedError(
            f"the tables of {database.name} have version {state.schema_version}, not {SCHEMA_VERSION}",
            _NEW_DATABASE,
        )
    if state.registry_id and state.registry_id != snapshot.settings.registry_id:
        raise RefusedError(f"{database.name} contains another registry ({state.registry_id})", _NEW_DATABASE)
    if state.commit_id and not _contains(snapshot.commit, state.commit_id, repository):
        raise RefusedError(
            f"{database.name} contains commit {state.commit_id[:12]}, which is not part of the history of "
            f"{(snapshot.commit or 'these files')[:12]}",
            f"export a later commit, or {_NEW_DATABASE}",
        )
    mark = Mark(database.name, state.registry_id, {}, state.ledger_lines, state.ledger_head)
    if not snapshot.ledger.extends(mark):
        raise RefusedError(f"the ledger lacks lines that {database.name} contains", _NEW_DATABASE)


def _contains(newer: str | None, older: str, repository: Repository | None) -> bool:
    if newer is None or repository is None:
        return False
    try:
        return newer == older or repository.is_ancestor(older, newer)
    except GitError:
        return False  # a commit that is not here


def _digests(snapshot: Snapshot) -> dict[_Place, str]:
    """Return a digest of all that the rows of each definition depend on."""
    traits = [[kind.name, repr(kind.traits), repr(kind.secret_fields)] for kind in snapshot.kinds]
    common = orjson.dumps([SCHEMA_VERSION, program_digest(), snapshot.mailmap_digest, traits])
    found = {}
    for one in snapshot.definitions:
        stored, added = snapshot.revisions_of(one).key
        facts = orjson.dumps([one.kind, one.name, one.id, one.blob, stored, [repr(row) for row in added]])
        found[one.kind, one.name] = hashlib.blake2b(common + facts, digest_size=16).hexdigest()
    return found


def _remove(connection: Connection, places: Sequence[_Place], known: int) -> None:
    """Delete all rows of these definitions."""
    if not places:
        return
    keys = [{"of_kind": kind, "of_name": name} for kind, name in places]
    for table in (DEFINITIONS, *PARTS):
        if len(places) == known:
            connection.execute(delete(table))
            continue
        of_one = (table.c.kind == bindparam("of_kind")) & (table.c.name == bindparam("of_name"))
        connection.execute(delete(table).where(of_one), keys)


def _write(
    connection: Connection,
    snapshot: Snapshot,
    definitions: Sequence[Definition],
    digests: dict[_Place, str],
    progress: Progress,
) -> None:
    """Insert the rows of these definitions. The database stores some while the next are made."""
    waiting: dict[Table, list[Values]] = defaultdict(list)
    stored: Future[None] | None = None
    with ThreadPoolExecutor(max_workers=1) as storing:
        for number, definition in enumerate(definitions, 1):
            for table, rows in rows_of(snapshot, definition, digests[definition[:2]]).items():
                waiting[table] += rows
            if sum(map(len, waiting.values())) >= _MANY or number == len(definitions):
                if stored is not None:
                    stored.result()
                stored = storing.submit(insert_rows, connection, waiting)
                waiting = defaultdict(list)
                progress("writing definitions", number, len(definitions))
    if stored is not None:
        stored.result()


def state_of(snapshot: Snapshot) -> dict[str, object]:
    """Return the row of `registry_state` that a snapshot writes, without its constants."""
    return {
        "registry_id": snapshot.settings.registry_id,
        "commit_id": snapshot.commit,
        "commit_time": snapshot.commit_time,
        "is_dirty": int(snapshot.is_dirty),
        "ledger_lines": len(snapshot.ledger.entries),
        "ledger_head": snapshot.ledger.head,
    }
