"""The real yaml-language-server over our schemas, as editors drive it: completion and diagnostics of a definition."""

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.support.waiting import PATIENCE_S
from tests.test_third_kind import SCHEMA

SERVER = (
    Path(__file__).parent.parent / "support/node/node_modules/yaml-language-server/bin/yaml-language-server"
)


class Client:
    """A small LSP client on the server's standard streams."""

    def __init__(self, root: Path) -> None:
        node = shutil.which("node")
        assert node, "Node.js is not installed: scripts/install-test-tools"
        self.process = subprocess.Popen(
            [node, str(SERVER), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self.kept: list[dict[str, Any]] = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.number = 0
        self.ask(
            "initialize",
            {
                "processId": None,
                "rootUri": root.as_uri(),
                "capabilities": {"workspace": {"configuration": True}},
            },
        )
        self.tell("initialized", {})

    def read(self) -> None:
        out = self.process.stdout
        assert out
        while line := out.readline():
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
                while out.readline().strip():
                    pass
                self.messages.put(json.loads(out.read(size)))

    def send(self, message: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        self.process.stdin.flush()

    def tell(self, method: str, parameters: dict[str, Any]) -> None:
        self.send({"method": method, "params": parameters})

    def ask(self, method: str, parameters: dict[str, Any]) -> Any:
        self.number += 1
        number = self.number
        self.send({"id": number, "method": method, "params": parameters})
        return self.wait(lambda one: one.get("id") == number and "method" not in one)["result"]

    def wait(self, fits: Any) -> dict[str, Any]:
        """The next message that fits; what the server asks meanwhile is answered as an editor without settings does."""
        while True:
            message = self.messages.get(timeout=PATIENCE_S)
            if "id" in message and "method" in message:
                wanted = (
                    message["params"].get("items", [])
                    if message["method"] == "workspace/configuration"
                    else None
                )
                self.send(
                    {
                        "id": message["id"],
                        "result": [
                            {"completion": True, "validate": True} if one.get("section") == "yaml" else None
                            for one in wanted
                        ]
                        if wanted is not None
                        else None,
                    }
                )
            if fits(message):
                return message

    def open(self, path: Path, text: str) -> None:
        self.tell(
            "textDocument/didOpen",
            {"textDocument": {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}},
        )

    def complete(self, path: Path, line: int, character: int) -> list[dict[str, Any]]:
        found = self.ask(
            "textDocument/completion",
            {"textDocument": {"uri": path.as_uri()}, "position": {"line": line, "character": character}},
        )
        items: list[dict[str, Any]] = found["items"] if isinstance(found, dict) else found
        return items

    def close(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()


@pytest.fixture
def editor(tmp_path: Path, run: Run) -> Iterator[tuple[Client, Path]]:
    """A new registry, and an editor on it; the first line of each file names the schema."""
    root = tmp_path / "mine"
    assert run("init", str(root)).code == 0
    assert run("new", "process_definition", "weather/qc", "--exec", "/opt/qc", "-C", str(root)).code == 0
    client = Client(root)
    yield client, root / "definitions/process_definition/weather/qc.yaml"
    client.close()


def test_completion_teaches_the_format(editor: tuple[Client, Path]) -> None:
    client, path = editor
    head = path.read_text().splitlines()[0] + "\ntitle: T\ndefinition:\n  exec: /opt/qc\n  "
    client.open(path, head)
    items = {item["label"]: item for item in client.complete(path, 4, 2)}
    assert {"argv", "environment", "timeout", "cwd", "input_adapter", "process_type"} <= set(items)
    assert "exec" not in items
    documentation = items["timeout"]["documentation"]
    assert "econds" in (documentation["value"] if isinstance(documentation, dict) else documentation)


def test_completion_offers_words_and_adapter_types(editor: tuple[Client, Path]) -> None:
    client, path = editor
    text = (
        path.read_text().splitlines()[0]
        + "\ntitle: T\ndefinition:\n  exec: x\n  process_type: \n  input_adapter:\n    input_type: \n"
    )
    client.open(path, text)
    assert {"single", "service"} <= {item["label"] for item in client.complete(path, 4, 16)}
    assert {"file", "stream", "port"} <= {item["label"] for item in client.complete(path, 6, 16)}


def test_a_mistake_is_underlined_and_a_good_file_is_not(editor: tuple[Client, Path]) -> None:
    client, path = editor

    def diagnostics() -> list[dict[str, Any]]:
        found = client.wait(
            lambda one: (
                one.get("method") == "textDocument/publishDiagnostics"
                and one["params"]["uri"] == path.as_uri()
            )
        )
        return list(found["params"]["diagnostics"])

    client.open(path, path.read_text())
    assert diagnostics() == []
    bad = path.read_text().replace("  exec: /opt/qc\n", "  exec: /opt/qc\n  args: [a]\n  timeout: soon\n")
    client.tell(
        "textDocument/didChange",
        {"textDocument": {"uri": path.as_uri(), "version": 2}, "contentChanges": [{"text": bad}]},
    )
    lines = bad.splitlines()
    # The server may publish what it found in the text before once more.
    underlined: set[str] = set()
    while underlined != {"args", "timeout"}:
        underlined = {lines[one["range"]["start"]["line"]].split(":")[0].strip() for one in diagnostics()}


def test_completion_offers_the_settings(editor: tuple[Client, Path]) -> None:
    client, definition = editor
    path = definition.parents[3] / "registry.yaml"
    client.open(path, path.read_text().splitlines()[0] + "\ntitle: T\n")
    items = {item["label"] for item in client.complete(path, 2, 0)}
    assert {"base_url", "page_size", "history", "fail_on"} <= items


def test_completion_knows_a_kind_that_the_registry_adds(editor: tuple[Client, Path]) -> None:
    client, definition = editor
    root = definition.parents[3]
    (root / "schema/dataset.schema.json").write_text(json.dumps(SCHEMA))
    path = root / "definitions/dataset/readings.yaml"
    path.parent.mkdir()
    text = "# yaml-language-server: $schema=../../schema/dataset.schema.json\ntitle: T\ndefinition:\n  "
    path.write_text(text)
    client.open(path, text)
    assert {"location", "license", "made_by"} <= {one["label"] for one in client.complete(path, 3, 2)}
