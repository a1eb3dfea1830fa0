"""Many requests of every sort leave no process, no open file and no memory behind."""

import random
from pathlib import Path

from tests.support.writing import new_bare_registry, new_users, write_server
from tests.writes.http.mixed import send_mixed, settled_usage, usage

COUNT = 500
MIB = 1024 * 1024


def test_mixed_requests_leave_nothing_behind(tmp_path: Path) -> None:
    with write_server(new_bare_registry(tmp_path), new_users(tmp_path)) as server:
        client, chance = server.client(), random.Random(5)
        send_mixed(client, chance, 100)
        before = usage(server)
        statuses = send_mixed(client, chance, COUNT)
        settled_usage(server, before, 60 * MIB)
        assert {200, 201, 202, 204, 400, 401, 404, 405, 410, 412, 413, 422} <= set(statuses), statuses
        log = server.log.read_text()
        assert "bug:" not in log
        assert "Traceback" not in log
