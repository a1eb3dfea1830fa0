"""Tables in MariaDB and PostgreSQL, run by `make test-engines`. What does not depend on the database is in test_sql."""

from collections.abc import Iterator

import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import OperationalError

from tests.support import engines
from tests.support.engines import Server

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module", params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each server in turn."""
    with getattr(engines, request.param)() as running:
        yield running


@pytest.fixture
def database(server: Server) -> URL:
    """An empty database."""
    return server.new_database()


def test_a_server_keeps_what_was_committed_when_it_starts_again(server: Server, database: URL) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE words (word VARCHAR(50))"))
        connection.execute(text("INSERT INTO words VALUES ('rain')"))
    engine.dispose()
    server.stop()
    server.start()
    with engine.begin() as connection:
        assert list(connection.execute(text("SELECT word FROM words"))) == [("rain",)]
    engine.dispose()


def test_a_wrong_password_is_refused(database: URL) -> None:
    engine = create_engine(database.set(password="another-word"))
    with pytest.raises(OperationalError, match=r"Access denied|authentication failed"):
        engine.connect()
