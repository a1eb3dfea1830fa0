"""Compose files: services with a command become definitions, their images applications."""

from pathlib import Path
from typing import Any

import pytest

from registry.errors import UsageError
from registry.exchange.compose_import import read_compose
from registry.exchange.importer import ImportedText, ImportOptions
from tests.conftest import Run
from tests.support.repo import RepoBuilder

FILE = """\
version: "3.8"
x-common: &common
  environment: &env {LOG: info, N: 1, F: on}
services:
  db:
    image: postgres:14
  web:
    <<: *common
    image: example.org:5000/team/web:${TAG:-1.2}
    command: gunicorn app:app -b "0.0.0.0:8000"
    ports: ["80:8000"]
    environment:
      <<: *env
      F: "off"
      SECRET: ${SECRET:?set it}
      MONEY: 5$$
      PASSED:
  worker:
    <<: *common
    image: example.org:5000/team/web:${TAG:-1.2}
    entrypoint: [python, -m, worker]
    command: ["$$HOME"]
    working_dir: /app
    deploy: {resources: {limits: {cpus: "0.5", memory: 512m}}}
  bad:
    image: x
    command: [echo, $PORT]
volumes: {data: {}}
"""


def read(text: str) -> ImportedText:
    """The result for one text."""
    return read_compose("compose.yaml", text, ImportOptions())


def service(lines: str) -> dict[str, Any]:
    """The content of `definition` of the only service, which has these lines."""
    text = "services:\n  a:\n" + "".join(f"    {line}\n" for line in lines.split("\n"))
    content: dict[str, Any] = read(text).definitions[0].document["definition"]
    return content


def test_services_and_images_become_definitions_and_the_rest_is_listed() -> None:
    found = read(FILE)
    documents = {(one.kind, one.name): one.document for one in found.definitions}
    assert documents["process_definition", "web"]["definition"] == {
        "exec": "gunicorn",
        "application": "web",
        "process_type": "service",
        "environment": {
            "F": "off",
            "SECRET": "${SECRET}",
            "MONEY": "5$",
            "PASSED": "${PASSED}",
            "LOG": "info",
            "N": "1",
        },
        "argv": ["app:app", "-b", "0.0.0.0:8000"],
    }
    assert documents["process_definition", "worker"]["definition"] == {
        "exec": "python",
        "application": "web-worker",
        "process_type": "service",
        "cwd": "/app",
        "environment": {"LOG": "info", "N": "1", "F": "on"},
        "argv": ["-m", "worker", "$HOME"],
    }
    assert documents["application", "web"]["container_image"] == "example.org:5000/team/web:1.2"
    assert documents["application", "web-worker"]["container_resources"] == {"cpu": "500m", "memory": "512Mi"}
    assert [(loss.field, loss.line) for loss in found.losses] == [
        ("services.db", 5),
        ("services.bad", 25),
        ("volumes", 28),
    ]
    (web,) = [one for one in found.definitions if one.name == "web" and one.kind == "process_definition"]
    assert [(loss.field, loss.line) for loss in web.losses] == [
        ("services.web.entrypoint", 7),
        ("services.web.image", 9),
        ("services.web.ports", 11),
    ]


def test_definition_and_application_are_written_together(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    (repo.root / "definitions").mkdir()
    (tmp_path / "docker-compose.yml").write_text(FILE)
    outcome = run("import", str(tmp_path / "docker-compose.yml"), "--folder", "shop", "-C", str(repo.root))
    assert outcome.code == 0, outcome.err
    assert f"{tmp_path}/docker-compose.yml:25: services.bad is lost: it cannot be imported" in outcome.err
    assert "application: shop/web" in (repo.root / "definitions/process_definition/shop/web.yaml").read_text()
    assert (repo.root / "definitions/application/shop/web.yaml").is_file()
    assert run("check", "-C", str(repo.root)).code == 0
    # A second file with the same image uses the application that is there.
    (tmp_path / "compose.yaml").write_text(
        "services:\n  more: {image: 'example.org:5000/team/web:1.2', entrypoint: [x]}\n"
    )
    outcome = run("import", str(tmp_path / "compose.yaml"), "--folder", "shop", "-C", str(repo.root))
    assert (outcome.code, outcome.out.count("→")) == (0, 1), outcome.err


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("entrypoint: x --a='b c'", {"exec": "x", "process_type": "service", "argv": ["--a=b c"]}),
        ("entrypoint: [x]\nenvironment: [A=1=2, B]", {"environment": {"A": "1=2", "B": "${B}"}}),
        ("entrypoint: [x]\nenvironment: {A: $B, C: '${D-e}', E: null}", {
            "environment": {"A": "${B}", "C": "e", "E": "${E}"}
        }),
        ("entrypoint: [x]\nrestart: 'no'\nprofiles: [single]", {"process_type": "single"}),
        ("entrypoint: [x]\nx-a: {b: $$c}", {"x-a": {"b": "$c"}}),
        ("entrypoint: [x]\nstdin_open: true", {"input_adapter": {
            "input_type": "stream", "input_params": {"stream_name": "STDIN"}
        }}),
    ],
)  # fmt: skip
def test_values_are_read_as_compose_reads_them(lines: str, expected: dict[str, Any]) -> None:
    found = service(lines)
    assert {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "compose.yaml:2: not valid YAML"),
        ("[]", "has no map `services`"),
        ("services: {a: {image: x}}", "has no process that can be imported"),
        ("services: {a: {command: [x], extends: b}}", "it extends another service"),
        ("services: {a: {command: 'x && y'}}", "characters of a shell"),
        ('services: {a: {command: "x \'y"}}', "cannot be split"),
        ("services: {a: {command: [x, $Y]}}", "the value of $Y in command is unknown"),
        ("services: {a: {command: [x, '${Y:+z}']}}", "is unknown"),
        ("services: {a: {command: [x, '${Y:-${Z}}']}}", "cannot replace the variables"),
        ("services: {a: {command: [x, [y]]}}", "is not a text"),
        ("services: {a: {command: [x], working_dir: app}}", "not an absolute path"),
        ("services: {a: {command: [x], image: '-'}}", "is not the name of an image"),
        ("a: 1\na: 2", "duplicate key a"),
        ("a: !reset null", "the tag !reset is not supported"),
        ("a: *b", "there is no complete anchor &b"),
        ("a: &a {b: *a}", "there is no complete anchor &a"),
        ("{<<: 1}", "merges maps only"),
        ("? [a]\n: b", "a key is not a text"),
        ("a: 1\n---\nb: 2", "has several documents"),
        ("[" * 100 + "]" * 100, "nested deeper"),
        ("[" + "a," * 100_001 + "]", "more than 100,000"),
    ],
)
def test_what_cannot_be_imported_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(text)
    assert said in refused.value.message


def test_aliases_do_not_multiply_the_size() -> None:
    levels = "".join(
        f"x-{n}: &a{n} {{{', '.join(f'k{m}: *a{n - 1}' for m in range(9))}}}\n" for n in range(1, 40)
    )
    assert service("entrypoint: [x]")["exec"] == "x"
    text = (
        f"x-0: &a0 {{k: v}}\n{levels}services: {{a: {{entrypoint: [x], environment: {{<<: [*a0, *a39]}}}}}}\n"
    )
    found = read(text).definitions[0].document["definition"]
    assert found["environment"] == {"k": "v"}
    keys = ", ".join(f"k{n}: v" for n in range(1_000))
    with pytest.raises(UsageError, match="more than 100,000 keys"):
        read(f"x: &a {{{keys}}}\ny: {{<<: [{', '.join(['*a'] * 1_000)}]}}\n")
