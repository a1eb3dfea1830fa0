"""A server that is killed, and requests that are no valid HTTP: what was acknowledged is on main exactly once."""

import os
import random
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.support.fsck import check_objects
from tests.support.waiting import PATIENCE_S
from tests.support.writing import LIST, Client, WriteServer, new_bare_registry, new_users, write_server

RUN = {"definition": {"exec": "/bin/x"}}
CLIENTS, KILLS = 4, 3


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    bare, users = new_bare_registry(tmp_path), new_users(tmp_path)
    acknowledged: list[tuple[int, str]] = []
    chance = random.Random(7)

    def post(client: Client) -> None:
        try:
            while True:
                answer = client.post(RUN)
                if answer.status == 201:
                    acknowledged.append((answer.id, answer.headers["request-id"]))
        except (OSError, EOFError, ValueError):
            return  # killed
        except Exception as error:  # noqa: BLE001 - http.client has several for a broken connection
            assert type(error).__module__ == "http.client"

    for _ in range(KILLS):
        with write_server(bare, users) as server:
            threads = [threading.Thread(target=post, args=(server.client(),)) for _ in range(CLIENTS)]
            before = len(acknowledged)
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + PATIENCE_S
            while len(acknowledged) < before + 5:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            time.sleep(chance.random() * 0.2)
            os.kill(server.process.pid, signal.SIGKILL)
            for thread in threads:
                thread.join(PATIENCE_S)
    with write_server(bare, users) as server:
        counted = server.request_ids()
        assert set(counted.values()) == {1}
        assert {request for _, request in acknowledged} <= counted.keys()
        listed = server.client().get(f"{LIST}?limit=0").json["objects"]
        ids = [one["id"] for one in listed]
        assert ids == list(range(1, len(ids) + 1))
        assert {number for number, _ in acknowledged} <= set(ids)
        assert server.client().post(RUN).id == len(ids) + 1
        check_objects(bare)
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "-q", "--no-local", str(bare), str(clone)], check=True, timeout=PATIENCE_S
    )


def _raw(server: WriteServer, data: bytes) -> bytes:
    with socket.create_connection(
        ("127.0.0.1", int(server.address.rpartition(":")[2])), timeout=PATIENCE_S
    ) as one:
        one.sendall(data)
        one.shutdown(socket.SHUT_WR)
        found = b""
        while chunk := one.recv(65536):
            found += chunk
        return found


HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("request_head", "statuses"),
    [
        (
            b"POST %s HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
            [400],
        ),
        (b"POST %s HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", [400]),
        (b"POST %s HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", [400]),
        (b"POST %s HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999\r\n\r\n{}", [401, 413]),
        (b"PUT %%2e%%2e%%2f%s1/ HTTP/1.1\r\n" + HOST + b"\r\n", [400, 401, 404, 405]),
        (b"PUT %s%%00/ HTTP/1.1\r\n" + HOST + b"\r\n", [404, 405]),
        (b"DELETE %s0001/ HTTP/1.1\r\n" + HOST + b"\r\n", [404, 405]),
        (b"DELETE %s-1/ HTTP/1.1\r\n" + HOST + b"\r\n", [404, 405]),
        (b"DELETE %s99999999999999999999/ HTTP/1.1\r\n" + HOST + b"\r\n", [404, 405]),
        (b"POST %s HTTP/1.1\r\n" + HOST + b"Authorization: Basic %%ff\r\n\r\n", [401]),
        (b"POST %s HTTP/1.1\r\n" + HOST + b"Authorization: \xff\xfe\r\n\r\n", [400, 401]),
        (b"GET %s HTTP/1.1\r\n" + HOST + b"Registry-At-Least: HEAD\r\n\r\n", [400]),
    ],
)
def test_hostile_requests_get_an_answer_and_change_nothing(
    server: WriteServer, request_head: bytes, statuses: list[int]
) -> None:
    head = server.head()
    answer = _raw(server, request_head % LIST.encode())
    assert answer.startswith(b"HTTP/1.1 "), answer
    assert int(answer.split(b" ")[1]) in statuses, answer
    assert str(server.repository).encode() not in answer
    assert server.head() == head
    assert server.client().get("/_live/ready").status == 200
