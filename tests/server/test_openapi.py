"""The OpenAPI document of a server with writes: valid, complete, and true."""

import base64
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.generated import generate, imported
from tests.support.schemathesis_run import run_schemathesis
from tests.support.waiting import PATIENCE_S
from tests.support.writing import LIST, PASSWORD, USER, Client, WriteServer

RUN = {"definition": {"exec": "/bin/x"}}
EXAMPLES = 5


@pytest.fixture(scope="module")
def document(server: WriteServer) -> Any:
    return server.client().get("/api/openapi.json").json


def _resolved(document: Any, node: Any) -> Any:
    if isinstance(node, dict) and "$ref" in node:
        found = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return found
    return node


def test_it_is_valid_and_every_reference_leads_to_a_component(document: Any) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    for pointer in set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document))):
        assert re.fullmatch(r"#/components/\w+/[A-Za-z0-9-]+", pointer)
        assert _resolved(document, {"$ref": pointer}) is not None
    operations = [
        one for item in document["paths"].values() for key, one in item.items() if key != "parameters"
    ]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["summary"] for one in operations)


def test_it_has_the_operations_that_write(document: Any) -> None:
    paths = document["paths"]
    for kind in ("process_definition", "application"):
        place = f"/api/{kind}/{{id}}/"
        assert set(paths[f"/api/{kind}/"]) == {"get", "post", "options"}
        assert set(paths[place]) == {"get", "put", "patch", "delete", "options"}
        assert set(paths[f"{place}restore/"]) == {"post", "options"}
        assert set(paths[place]["patch"]["requestBody"]["content"]) == {
            "application/json",
            "application/merge-patch+json",
        }
        writes = [paths[f"/api/{kind}/"]["post"], paths[f"{place}restore/"]["post"]]
        writes += [paths[place][method] for method in ("put", "patch", "delete")]
        for one in writes:
            assert one["security"] == [{"basic": []}, {"bearer": []}]
            assert {"400", "401", "403", "409", "422", "429", "503"} <= set(one["responses"])
            for status, answer in one["responses"].items():
                found = _resolved(document, answer)
                assert {"Request-Id", "Registry-Commit"} <= set(found["headers"])
                if status >= "400":
                    assert found["content"]["application/json"]["schema"]["$ref"].endswith("/Error")
        for one in (paths[place][method] for method in ("put", "patch", "delete")):
            names = {_resolved(document, parameter)["name"] for parameter in one["parameters"]}
            assert {"If-Match", "Idempotency-Key", "Request-Id", "Allow-Breaking"} <= names
            assert {"404", "410", "412", "428"} <= set(one["responses"])
        assert {"Location", "ETag"} <= set(paths[f"/api/{kind}/"]["post"]["responses"]["201"]["headers"])
        reading = {_resolved(document, parameter)["name"] for parameter in paths[place]["get"]["parameters"]}
        assert "Registry-At-Least" in reading
        assert "security" not in paths[place]["get"]
    assert set(document["components"]["securitySchemes"]) == {"basic", "bearer"}
    assert "problems" in document["components"]["schemas"]["Error"]["properties"]


def test_a_write_where_nothing_is_finds_nothing_as_reading_does(client: Client) -> None:
    number = client.post(RUN).id
    for place in ("0", "abc", f"{number}/nothing", "-1", "1.5", "99999999999999999999"):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            answer = client.send(method, f"{LIST}{place}/", RUN if method in ("PUT", "PATCH") else None)
            assert (answer.status, set(answer.json)) == (404, {"error"}), (method, place)
    assert client.send("PUT", f"{LIST}{number}/history/", RUN).status == 405
    assert client.send("DELETE", "/api/openapi.json").status == 405


def test_schemathesis_finds_nothing(server: WriteServer, client: Client, tmp_path: Path) -> None:
    for _ in range(3):
        last = client.post(RUN).id
    assert client.delete(last).status == 204
    printed = run_schemathesis(
        server,
        tmp_path,
        *("--include-tag", "process_definition", "--phases", "examples,fuzzing"),
        *("--max-examples", str(EXAMPLES), "--generation-deterministic"),
        timeout=4 * PATIENCE_S,
    )
    generated = re.search(r"(\d+) generated", printed)
    assert generated is not None
    assert int(generated[1]) > 100, printed
    assert client.get("/_live/ready").status == 200


@pytest.fixture(scope="module")
def generated(document: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """What openapi-python-client makes."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(document))
    options = [
        "--path",
        f"{folder}/openapi.json",
        "--meta",
        "none",
        "--output-path",
        f"{folder}/writing_client",
    ]
    printed = generate("openapi_python_client", "generate", *options)
    # It does not know lines of JSON; everything else is there.
    assert all("ndjson" in part for part in printed.split("WARNING")[1:])
    yield from imported(folder, "writing_client")


def test_a_generated_client_writes(server: WriteServer, client: Client, generated: ModuleType) -> None:
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    models = importlib.import_module("writing_client.models")

    def call(operation: str, *parameters: Any, **more: Any) -> Any:
        module = importlib.import_module(
            f"writing_client.api.process_definition.{operation}_process_definition"
        )
        return module.sync_detailed(*parameters, client=connection, **more)

    with generated.AuthenticatedClient(server.address, login, prefix="Basic") as connection:
        new = models.ProcessDefinitionNew.from_dict(
            {"definition": {"exec": "/bin/x"}, "name": "generated/one"}
        )
        added = call("add", body=new)
        assert (added.status_code, added.headers["location"].startswith(LIST)) == (201, True)
        number = client.get(f"{LIST}by-name/generated/one/").json["id"]
        edit = models.ProcessDefinitionEdit.from_dict({"title": "Edited"})
        assert call("change", number, body=edit, if_match=added.headers["etag"]).status_code == 202
        refused = call("change", number, body=edit, if_match='"1-000000000000000000000000"')
        assert (refused.status_code, bool(refused.parsed.error)) == (412, True)
        whole = models.ProcessDefinitionReplacement.from_dict({"definition": {"exec": "/bin/y"}})
        assert call("replace", number, body=whole).status_code == 204
        assert call("delete", number).status_code == 204
        restored = call("restore", number).parsed
        assert (restored.definition.exec_, restored.title) == ("/bin/y", "Edited")
