"""Manifests of Kubernetes, by its rules for names, quantities and variables."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.exchange.exporter import Exportable, NotExportableError, with_losses
from registry.exchange.exporting import export_definitions
from registry.exchange.kubernetes import EXPORTER
from tests.exchange.yaml_readers import read_yaml
from tests.support.hostile_text import ENVIRONMENTS, NAMES, TEXTS, exportable

APPLICATION = {"container_image": "registry.example.org/media:1"}
FILES: dict[str, Any] = {
    "input_adapter": {"input_type": "file", "input_params": {"file_path": "${input_file}", "suffix": ".wav"}},
    "output_adapter": {"output_type": "file", "output_params": {"file_path": "${output_file}"}},
}
NONE: dict[str, Any] = {"input_adapter": {"input_type": "none"}, "output_adapter": {"output_type": "none"}}
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]")
QUALIFIED_NAME = re.compile(
    r"([a-z0-9]([-.a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
VARIABLE_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
QUANTITY = re.compile(r"[0-9]+(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """What Kubernetes makes of a command, an argument or the value of a variable.

    `$$` is `$`, `$(NAME)` is a variable if it exists. As Kubernetes does, it takes a byte after another `$` for a
    character: those outside of ASCII break.
    """
    data, found, place = text.encode(), b"", 0
    while place < len(data):
        if data[place : place + 1] != b"$" or place + 1 == len(data):
            found += data[place : place + 1]
            place += 1
        elif data[place + 1 : place + 2] == b"$":
            found += b"$"
            place += 2
        elif data[place + 1 : place + 2] == b"(" and b")" in data[place + 2 :]:
            end = data.index(b")", place + 2)
            name = data[place + 2 : end].decode()
            found += variables.get(name, f"$({name})").encode()
            place = end + 1
        else:
            found += b"$" + chr(data[place + 1]).encode()
            place += 2
    return found.decode("utf-8", "backslashreplace")


def manifest(**parts: Any) -> Any:
    return read_yaml(EXPORTER.export(exportable(**({"application": APPLICATION} | parts))).text)


def container(**parts: Any) -> Any:
    (found,) = manifest(**parts)["spec"]["template"]["spec"]["containers"]
    return found


def variables_of(written: Any) -> dict[str, str]:
    """The variables of the process; of a Secret, the text `${NAME}` for its key."""
    found: dict[str, str] = {}
    for one in written.get("env", ()):
        assert VARIABLE_NAME.fullmatch(one["name"])
        assert not re.match(r"\.\.|\.\Z", one["name"])
        secret = one.get("valueFrom", {}).get("secretKeyRef")
        found[one["name"]] = f"${{{secret['key']}}}" if secret else expanded(one["value"], found)
    return found


def assert_valid_metadata(metadata: Any) -> None:
    assert DNS_LABEL.fullmatch(metadata["name"])
    assert all(QUALIFIED_NAME.fullmatch(key) for key in (*metadata["labels"], *metadata["annotations"]))
    assert all(LABEL_VALUE.fullmatch(text) for text in metadata["labels"].values())
    assert all(isinstance(text, str) for text in metadata["annotations"].values())


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
        process_type="single" if is_single else "service",
        application=APPLICATION,
        **NONE,
        **{"x-note": {extension: [extension, 1]}},
    )
    try:
        text = EXPORTER.export(definition).text
    except NotExportableError as error:
        refused = error.field.removeprefix("/definition/environment/")
        assert refused in environment
        assert not VARIABLE_NAME.fullmatch(refused) or refused.startswith("..")
        return
    found = read_yaml(text)
    assert found["kind"] == ("Job" if is_single else "Deployment")
    assert_valid_metadata(found["metadata"])
    (written,) = found["spec"]["template"]["spec"]["containers"]
    variables = variables_of(written)
    assert variables == environment
    assert [expanded(word, variables) for word in written["command"]] == [program]
    assert [expanded(word, variables) for word in written["args"]] == argv
    assert written["workingDir"] == f"/{folder}"
    annotations = found["metadata"]["annotations"]
    assert annotations["process-registry/name"] == name
    assert annotations.get("process-registry/title", "") == title
    assert json.loads(annotations["process-registry/extensions"]) == {"x-note": {extension: [extension, 1]}}


def test_a_job_that_exchanges_nothing() -> None:
    found = manifest(timeout=90, environment={"KEY": "${TOKEN}", "B": "${OTHER}", "C": "${TOKEN}"}, **NONE)
    assert found == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "weather-qc",
            "labels": {"app.kubernetes.io/name": "weather-qc"},
            "annotations": {
                "process-registry/name": "weather/qc",
                "process-registry/id": "7",
                "process-registry/revision": "3",
                "process-registry/commit": "c0ffee",
                "process-registry/application": "app",
            },
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": 90,
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": "weather-qc"}},
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 10,
                    "containers": [
                        {
                            "name": "weather-qc",
                            "image": "registry.example.org/media:1",
                            "command": ["/bin/program"],
                            "args": [],
                            "env": [
                                {
                                    "name": name,
                                    "valueFrom": {"secretKeyRef": {"name": "weather-qc", "key": key}},
                                }
                                for name, key in (("KEY", "TOKEN"), ("B", "OTHER"), ("C", "TOKEN"))
                            ],
                        }
                    ],
                },
            },
        },
    }


@pytest.mark.parametrize(("timeout", "deadline"), [(1.5, 2), (2.0, 2), (0.01, 1)])
def test_the_time_limit_of_a_job_is_rounded_up(timeout: float, deadline: int) -> None:
    assert manifest(timeout=timeout)["spec"]["activeDeadlineSeconds"] == deadline
    assert "activeDeadlineSeconds" not in manifest(timeout=timeout, process_type="service")["spec"]


def test_comments_name_the_objects_that_must_exist() -> None:
    job = exportable(application=APPLICATION, environment={"KEY": "${TOKEN}", "B": "${OTHER}"}, **FILES)
    assert [line for line in EXPORTER.export(job).text.splitlines() if line.startswith("#")] == [
        "# Requires a Secret weather-qc with the keys OTHER, TOKEN.",
        "# Requires a ConfigMap: kubectl create configmap registry-run --from-file=registry-run",
        "# Requires a PersistentVolumeClaim weather-qc: the message is its file input, the answer output.",
    ]


def test_a_service_runs_once_at_a_time() -> None:
    found = manifest(
        process_type="service",
        input_adapter={"input_type": "stream", "input_params": {"stream_name": "STDIN"}},
        output_adapter={"output_type": "port", "output_params": {"udp_port": 8090}},
    )
    assert (found["apiVersion"], found["kind"]) == ("apps/v1", "Deployment")
    spec = found["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    (written,) = spec["template"]["spec"]["containers"]
    assert written["stdin"] is True
    assert written["ports"] == [{"containerPort": 8090, "protocol": "UDP"}]


@pytest.mark.parametrize(
    ("adapters", "options", "sides"),
    [
        (FILES, ["-i", "-I", ".wav", "-o"], ["input", "output"]),
        (
            {
                "input_adapter": {
                    "input_type": "file",
                    "input_params": {"file_type": "stream", "stream_name": "STDIN"},
                },
                "output_adapter": {"output_type": "none"},
            },
            [],
            ["input"],
        ),
        ({"output_adapter": FILES["output_adapter"]}, ["-o"], ["input", "output"]),
    ],
)
def test_messages_are_files_of_a_volume(
    adapters: dict[str, Any], options: list[str], sides: list[str]
) -> None:
    exported = EXPORTER.export(exportable(application=APPLICATION, argv=["${x}"], **adapters))
    pod = read_yaml(exported.text)["spec"]["template"]["spec"]
    (written,) = pod["containers"]
    assert written["command"] == ["/registry-run/registry-run", *options, "--", "/bin/program"]
    assert written["args"] == ["$${x}"]
    assert variables_of(written) == {f"REGISTRY_{side.upper()}": f"/messages/{side}" for side in sides}
    assert {one["name"]: one["mountPath"] for one in written["volumeMounts"]} == {
        "registry-run": "/registry-run",
        "messages": "/messages",
    }
    assert pod["volumes"] == [
        {"name": "registry-run", "configMap": {"name": "registry-run", "defaultMode": 0o555}},
        {"name": "messages", "persistentVolumeClaim": {"claimName": "weather-qc"}},
    ]
    assert exported.needs_wrapper
    assert not exported.losses


@pytest.mark.parametrize(
    ("parts", "lost"),
    [
        ({"timeout": 1.5, **NONE}, ["/definition/timeout: rounded up to 2 s"]),
        ({"timeout": 2.0, **NONE}, []),
        ({}, ["/definition: without an input adapter", "/definition: without an output adapter"]),
        ({"process_type": "service"}, []),
        (
            {
                "input_adapter": {"input_type": "none"},
                "output_adapter": {
                    "output_type": "file",
                    "output_params": {"file_type": "stream", "stream_name": "STDERR"},
                },
            },
            ["/definition/output_adapter: standard error is the log"],
        ),
    ],
)
def test_what_is_lost_in_part(parts: dict[str, Any], lost: list[str]) -> None:
    exported = EXPORTER.export(exportable(application=APPLICATION, **parts))
    found = [str(one) for one in exported.losses]
    assert len(found) == len(lost)
    assert all(text.startswith(start) for text, start in zip(found, lost, strict=True))
    assert read_yaml(with_losses(EXPORTER, exported))["kind"] in ("Job", "Deployment")


@pytest.mark.parametrize(
    ("resources", "limits"),
    [
        ({"cpu": 2, "memory": "512Mi"}, {"cpu": "2", "memory": "512Mi"}),
        ({"cpu": "250m", "memory": "1G"}, {"cpu": "250m", "memory": "1G"}),
        ({"cpu": 0.5}, {"cpu": "500m"}),
        ({"cpu": 0.0001, "memory": "7"}, {"cpu": "1m", "memory": "7"}),
    ],
)
def test_limits_of_resources(resources: dict[str, Any], limits: dict[str, str]) -> None:
    found = container(application=APPLICATION | {"container_resources": resources})["resources"]["limits"]
    assert found == limits
    assert all(QUANTITY.fullmatch(text) for text in found.values())


@pytest.mark.parametrize("name", ["1A", "..a", ".", "é", "a b", "$A", "A\u00b5"])
def test_variables_that_some_versions_reject_are_refused(name: str) -> None:
    with pytest.raises(NotExportableError) as raised:
        container(environment={name: ""})
    assert raised.value.field == f"/definition/environment/{name}"


def test_a_definition_without_an_image_is_refused() -> None:
    with pytest.raises(NotExportableError, match="container_image"):
        manifest(application={})


def test_metadata_that_annotations_cannot_hold_is_refused() -> None:
    with pytest.raises(NotExportableError) as raised:
        manifest(links=[{"href": "https://example.org/" + "é" * 140_000}])
    assert raised.value.field == "/links"


def test_each_definition_has_a_file() -> None:
    some: list[Exportable] = [
        exportable(name, application=APPLICATION) for name in ("weather/qc", "Weather/qc", "x" * 100)
    ]
    files = export_definitions(EXPORTER, some).files
    assert {path.removesuffix(".yaml") for path in files} == {
        read_yaml(text)["metadata"]["name"] for text in files.values()
    }
    assert len(files) == 3
