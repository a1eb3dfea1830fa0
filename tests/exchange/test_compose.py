"""Compose files, interpolated by the rules of the specification."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from registry.errors import UsageError
from registry.exchange.compose import EXPORTER
from registry.exchange.exporter import Exportable, NotExportableError
from registry.exchange.exporting import export_definitions
from tests.exchange.yaml_readers import read_yaml
from tests.support.corpora import corpus
from tests.support.hostile_text import ENVIRONMENTS, NAMES, TEXTS, exportable

APPLICATION = {"container_image": "registry.example.org/media:1"}
VALUES = {"TOKEN": "secret $$ ${x}", "OTHER": "other"}
WRAPPER = "/usr/local/bin/registry-run"
FILES: dict[str, Any] = {
    "input_adapter": {"input_type": "file", "input_params": {"file_path": "${input_file}", "suffix": ".wav"}},
    "output_adapter": {"output_type": "file", "output_params": {"file_path": "${output_file}"}},
}
VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Za-z_]\w*)(?::\?[^}]*)?\}|([A-Za-z_]\w*))")


def interpolated(value: Any) -> Any:
    """What Compose makes of a value: in texts, `$$` is `$`, and `${NAME}`, `${NAME:?error}` and `$NAME` are variables.
    Keys of maps stay, and other uses of `$` are errors.
    """
    if isinstance(value, str):
        assert "$" not in VARIABLE.sub("", value), value
        return VARIABLE.sub(
            lambda found: "$" if found[1] else VALUES.get(found[2] or found[3], "unset"), value
        )
    if isinstance(value, Mapping):
        return {key: interpolated(item) for key, item in value.items()}
    return [interpolated(item) for item in value] if isinstance(value, list) else value


def wanted(environment: Mapping[str, str]) -> dict[str, str]:
    reference = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}\Z")
    return {
        name: VALUES.get(found[1], "unset") if (found := reference.match(text)) else text
        for name, text in environment.items()
    }


def services(*some: Exportable) -> Any:
    (text,) = export_definitions(EXPORTER, some).files.values()
    return read_yaml(text)["services"]


def service(**parts: Any) -> Any:
    (found,) = services(exportable(application=APPLICATION, **parts)).values()
    return found


@pytest.fixture(scope="module")
def schema() -> Draft7Validator:
    # Its $schema is an https address, which jsonschema does not know.
    return Draft7Validator(json.loads(corpus("compose-spec.json").read_text(encoding="utf-8")))


@given(st.data(), st.lists(TEXTS, max_size=4), ENVIRONMENTS, NAMES, st.booleans())
def test_every_text_arrives(
    data: st.DataObject, argv: list[str], environment: dict[str, str], name: str, is_single: bool
) -> None:
    program, folder, title, extension = (data.draw(TEXTS) for _ in range(4))
    definition = exportable(
        name,
        exec=program,
        argv=argv,
        environment=environment,
        cwd=f"/{folder}",
        title=title,
        tags=[title],
        process_type="single" if is_single else "service",
        application=APPLICATION,
        **{"x-note": {extension: [extension, 1]}},
    )
    try:
        found = read_yaml(EXPORTER.export(definition).text)
    except NotExportableError as error:
        assert error.field == "/definition/environment/x-a"
        assert "x-a" in environment
        return
    ((key, written),) = found["services"].items()
    assert re.fullmatch(r"[a-zA-Z0-9._-]{1,63}", key)
    read = interpolated(written)
    assert read["entrypoint"] == [program]
    assert read["command"] == argv
    assert read.get("environment", {}) == wanted(environment)
    assert read["working_dir"] == f"/{folder}"
    assert read["labels"].get("process-registry.title", "") == title
    assert read["labels"]["process-registry.tags"] == json.dumps([title], ensure_ascii=False)
    assert read["x-note"] == {extension: [extension, 1]}
    assert read["restart"] == ("no" if is_single else "on-failure")


def test_a_service() -> None:
    found = service(
        process_type="service",
        cwd="/srv",
        argv=["--from", "stdin"],
        environment={"LEVEL": "2", "TOKEN": "${TOKEN}"},
        description="Costs 5 $",
        input_adapter={"input_type": "stream", "input_params": {"stream_name": "STDIN"}},
        output_adapter={"output_type": "port", "output_params": {"tcp_port": 8090}},
    )
    assert found == {
        "image": "registry.example.org/media:1",
        "init": True,
        "working_dir": "/srv",
        "entrypoint": ["/bin/program"],
        "command": ["--from", "stdin"],
        "environment": {"LEVEL": "2", "TOKEN": "${TOKEN:?set TOKEN}"},
        "stdin_open": True,
        "expose": ["8090/tcp"],
        "restart": "on-failure",
        "stop_grace_period": "10s",
        "labels": {
            "process-registry.name": "weather/qc",
            "process-registry.id": "7",
            "process-registry.revision": "3",
            "process-registry.commit": "c0ffee",
            "process-registry.application": "app",
            "process-registry.description": "Costs 5 $$",
        },
    }


@pytest.mark.parametrize(
    ("adapters", "ports"),
    [
        (
            {"input": {"input_type": "port", "input_params": {"tcp_port": 8090, "role": "connect"}}},
            ["8090/tcp"],
        ),
        # Here the runner listens.
        ({"input": {"input_type": "port", "input_params": {"tcp_port": 8090, "role": "listen"}}}, None),
        ({"output": {"output_type": "port", "output_params": {"udp_port": 8090}}}, ["8090/udp"]),
        ({"input": {"input_type": "http", "input_params": {"tcp_port": 8070, "path": "/"}}}, ["8070/tcp"]),
        # The process sends its answers to the runner, or in its responses.
        ({"output": {"output_type": "http", "output_params": {"tcp_port": 8070, "path": "/"}}}, None),
        (
            {
                side: {f"{side}_type": "port", f"{side}_params": {"tcp_port": 1}}
                for side in ("input", "output")
            },
            ["1/tcp"],
        ),
    ],
)
def test_ports_on_which_the_process_listens(adapters: dict[str, Any], ports: list[str] | None) -> None:
    found = service(process_type="service", **{f"{side}_adapter": it for side, it in adapters.items()})
    assert found.get("expose") == ports


def test_a_job_with_files_and_a_time_limit_starts_through_the_wrapper() -> None:
    job = exportable(argv=["-i", "${input_file}"], timeout=1.5, application=APPLICATION, **FILES)
    exported = EXPORTER.export(job)
    (found,) = read_yaml(exported.text)["services"].values()
    options = ["-t", "1.5", "-i", "-I", ".wav", "-o", "--"]
    assert interpolated(found["entrypoint"]) == [WRAPPER, *options, "/bin/program"]
    assert interpolated(found["command"]) == ["-i", "${input_file}"]
    assert found["volumes"] == [
        {"type": "bind", "source": "./registry-run", "target": WRAPPER, "read_only": True}
    ]
    # `docker compose up` starts services only.
    assert (found["profiles"], found["restart"]) == (["single"], "no")
    assert exported.needs_wrapper


@pytest.mark.parametrize(
    ("resources", "limits"),
    [
        ({"cpu": 2, "memory": "512Mi"}, {"cpus": "2", "memory": "512m"}),
        ({"cpu": "250m", "memory": "1G"}, {"cpus": "0.25", "memory": "1000000000b"}),
        ({"cpu": 0.0001}, {"cpus": "0.001"}),
        ({"memory": "2Ti"}, {"memory": "2048g"}),
        ({"memory": "3000k"}, {"memory": "3000000b"}),
    ],
)
def test_limits_of_resources(resources: dict[str, Any], limits: dict[str, str]) -> None:
    (found,) = services(exportable(application=APPLICATION | {"container_resources": resources})).values()
    assert found["deploy"] == {"resources": {"limits": limits}}


@pytest.mark.parametrize(("application", "field"), [({}, "/definition/application"), (None, "/definition")])
def test_a_definition_without_an_image_is_refused(application: dict[str, Any] | None, field: str) -> None:
    with pytest.raises(NotExportableError) as raised:
        EXPORTER.export(exportable(application=application))
    assert raised.value.field == field


def test_a_file_with_a_fixed_path_is_reported() -> None:
    adapter = {"input_type": "file", "input_params": {"file_path": "/data/in"}}
    exported = EXPORTER.export(exportable(application=APPLICATION, input_adapter=adapter))
    assert [str(one) for one in exported.losses] == [
        "/definition/input_adapter: mount a volume that contains /data/in"
    ]
    assert not exported.needs_wrapper


def test_all_definitions_are_services_of_one_file(schema: Draft7Validator) -> None:
    some = [
        exportable("weather/qc", process_type="service", application=APPLICATION, examples=[{"title": "$"}]),
        exportable("Métaphore", timeout=5, application=APPLICATION, **FILES),
        exportable(
            "a", application=APPLICATION, environment={"yes": "no"}, **{"x-a": [None, 1.5, {"b": "$"}]}
        ),
    ]
    result = export_definitions(EXPORTER, some)
    text = result.files["compose.yaml"]
    assert "# Not carried by Compose:\n#   /examples: " in text
    found = read_yaml(text)
    assert [one["labels"]["process-registry.name"] for one in found["services"].values()] == [
        "weather/qc",
        "Métaphore",
        "a",
    ]
    assert [error.message for error in schema.iter_errors(found)] == []
    found["services"]["a"]["workin_dir"] = "/"
    assert len(list(schema.iter_errors(found))) == 1


def test_two_services_with_one_name_are_reported() -> None:
    with pytest.raises(UsageError, match="a/b and a-b would both be the service a-b"):
        services(*(exportable(name, application=APPLICATION) for name in ("a/b", "a-b")))
