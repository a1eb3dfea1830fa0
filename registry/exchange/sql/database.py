"""Connections to SQLite, MariaDB, MySQL and PostgreSQL, and their errors in one line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from registry.errors import RegistryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Engine, Table
    from sqlalchemy.engine import URL

_DRIVERS = {
    "sqlite": "sqlite",
    "mysql": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
FORMS = "sqlite:///FILE, mysql+pymysql://USER:PASSWORD@HOST/DATABASE, postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
"""The forms of addresses, for help texts."""
_WAIT_S = 30
# One statement of MariaDB is at most 16 MiB by default.
_CONNECT = {
    "sqlite": {"timeout": _WAIT_S},
    "mysql": {
        "charset": "utf8mb4",
        "connect_timeout": _WAIT_S,
        # Without it, a text that is too long is cut.
        "init_command": "SET SESSION sql_mode = 'TRADITIONAL', SESSION time_zone = '+00:00'",
    },
    "postgresql": {
        "connect_timeout": _WAIT_S,
        "application_name": "registry export",
        # The default is the encoding of the database.
        "client_encoding": "utf8",
    },
}
# Only one program at a time has the lock of a database. It ends with the transaction in PostgreSQL, with the
# connection in MariaDB. SQLite locks in every transaction.
_LOCKS = {
    "mysql": f"SELECT GET_LOCK(CONCAT('registry export ', DATABASE()), {_WAIT_S})",
    "postgresql": "SELECT pg_advisory_xact_lock(hashtext('registry export'))",
}


class DatabaseError(RegistryError):
    """The database cannot be reached, or refused a statement. Nothing of the transaction was stored."""


class Database:
    """A database. Close it after use."""

    def __init__(self, address: str) -> None:
        """Open the database of a URL (see `FORMS`). Connects when it is first used.

        Raises UsageError for another URL. Messages never contain the URL, which may have a password.
        """
        url = _url(address)
        dialect = url.get_backend_name()
        self._engine: Engine = create_engine(url, connect_args=_CONNECT[dialect], pool_pre_ping=True)
        if dialect == "sqlite":
            use_whole_transactions(self._engine)
        # Raised as it is for what does not go through SQLAlchemy.
        self._driver_error: type[Exception] = self._engine.dialect.loaded_dbapi.Error
        server = f"{dialect} database {url.database} on {url.host or 'a socket'}"
        self.name = str(url.database) if dialect == "sqlite" else server

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit what the block does, or nothing of it. Raises DatabaseError, also for the block."""
        with self._reported(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """Like `transaction`, but begin after the end of another `exclusive` transaction of the database."""
        with self.transaction() as connection:
            if lock := _LOCKS.get(self._engine.dialect.name):
                connection.detach()  # closed afterwards, instead of kept for reuse
                if connection.exec_driver_sql(lock).scalar() == 0:  # MariaDB, after the time is over
                    raise DatabaseError(f"{self.name}: another export has the lock", "try again later")
            yield connection

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, self._driver_error) as error:
            # Without the statement and its parameters, which contain the definitions.
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise DatabaseError(f"{self.name}: {_reason(cause)}", _hint(cause)) from error


def _url(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        raise UsageError("the URL of the database cannot be read", f"its form is one of {FORMS}") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise UsageError(f"`{url.drivername}` is not a supported database", f"the URL is one of {FORMS}")
    if driver == "sqlite" and url.database in (None, "", ":memory:"):
        raise UsageError("the URL names no file", "as in sqlite:///registry.sqlite")
    if driver != "sqlite" and not url.database:
        raise UsageError("the URL names no database", f"the URL is one of {FORMS}")
    return url.set(drivername=driver)


def use_whole_transactions(engine: Engine) -> None:
    """Lock a SQLite database from the start of a transaction, and let changes of tables be part of it.

    See "Serializable isolation / Savepoints / Transactional DDL" in SQLAlchemy's documentation of SQLite.
    """

    @event.listens_for(engine, "connect")
    def _leave_transactions_to_us(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _reason(cause: BaseException | None) -> str:
    """Return the message of a driver in one line."""
    words = [str(one) for one in getattr(cause, "args", ()) if not isinstance(one, int)] or [str(cause)]
    return " ".join(" ".join(words).split()) or type(cause).__name__


def _hint(cause: BaseException | None) -> str:
    text = str(cause).lower()
    if "unable to open database file" in text:
        return "the folder of the file must exist and be writable"
    if "locked" in text:
        return "another program writes to the database"
    if "password" in text or "access denied" in text or "authentication" in text:
        return "check user and password of the URL, and the rights of the user"
    if "connect" in text or "refused" in text:
        return "check host and port of the URL, and that the server is running"
    return ""


def insert_rows(connection: Connection, rows: Mapping[Table, Sequence[dict[str, Any]]]) -> None:
    """Insert rows by table."""
    for table, some in rows.items():
        if not some:
            continue
        if connection.dialect.name == "postgresql":
            _copy(connection, table, some)
        else:
            _insert(connection, table, some)


def _copy(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert with COPY, which takes a fifth of the time of INSERT."""
    columns = [column.name for column in table.columns]
    words = ", ".join(f'"{name}"' for name in columns)
    cursor: Any = connection.connection.cursor()  # psycopg's own: `copy` is not part of the DB-API
    with cursor, cursor.copy(f'COPY "{table.name}" ({words}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row([row[name] for name in columns])


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert without SQLAlchemy's work for each row, which is a third of the time."""
    dialect = connection.dialect
    quote = dialect.identifier_preparer.quote
    words = ", ".join(quote(column.name) for column in table.columns)
    place = {"sqlite": "?", "mysql": "%s"}[dialect.name]
    places = ", ".join([place] * len(table.columns))
    values = []
    for column in table.columns:
        # SQLite has no type for a date.
        processor = column.type.dialect_impl(dialect).bind_processor(dialect)
        found = [row[column.name] for row in rows]
        values.append([*map(processor, found)] if processor else found)
    # PyMySQL sends many rows in one statement.
    connection.exec_driver_sql(
        f"INSERT INTO {quote(table.name)} ({words}) VALUES ({places})", [*zip(*values, strict=True)]
    )
