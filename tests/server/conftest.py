"""Fixtures of tests that write through HTTP."""

from collections.abc import Iterator

import pytest

from tests.support.writing import Client, WriteServer, new_bare_registry, new_users, write_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WriteServer]:
    """A server of a new registry, for all tests of a module."""
    folder = tmp_path_factory.mktemp("server")
    with write_server(new_bare_registry(folder), new_users(folder)) as found:
        yield found


@pytest.fixture
def client(server: WriteServer) -> Client:
    """A client of the server, logged in."""
    return server.client()
