"""CommandLineTools, read by an independent reader. test_cwl_engines runs them."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.exchange.cwl import EXPORTER
from registry.exchange.exporter import Exportable, NotExportableError, with_losses
from registry.exchange.fields import DEFINITION_PARTS
from tests.conftest import Run
from tests.exchange.cwl_reader import evaluated, read_cwl
from tests.support.repo import RepoBuilder


class Values(dict[str, str]):
    """Values of references: of a variable of the host, the text `${NAME}` that stands for it."""

    def __missing__(self, key: str) -> str:
        return f"${{{key.removeprefix('inputs.env_')}}}"


VALUES = Values({"inputs.input.path": "/in/message", "runtime.outdir": "/out"})


def exportable(
    inside: dict[str, Any], application: dict[str, Any] | None = None, **document: Any
) -> Exportable:
    return Exportable(
        "process_definition", "text/remove-x", 7, document | {"definition": inside}, application
    )


def tool_of(inside: dict[str, Any], application: dict[str, Any] | None = None, **document: Any) -> Any:
    exported = EXPORTER.export(exportable(inside, application, **document))
    return read_cwl(with_losses(EXPORTER, exported))


def lost(inside: dict[str, Any], **document: Any) -> list[str]:
    return [loss.field for loss in EXPORTER.export(exportable(inside, **document)).losses]


# Texts of the characters that mean something to CWL or YAML, beside any others.
HOSTILE = st.lists(
    st.sampled_from(
        ["$(", "${", "\\", "$", ")", "}", "inputs.input.path", "${input_file}", " ", "\n", "'", '"']
    )
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3),
    max_size=8,
).map("".join)


def test_a_filter_reads_and_writes_standard_streams() -> None:
    tool = tool_of(
        {"exec": "/usr/bin/tr", "argv": ["-d", "x"], "environment": {"LC_ALL": "C.UTF-8"}, "timeout": 10},
        title="Remove every x",
        description="Deletes the letter x.",
        owners=["text"],
        tags=["text"],
        links=[{"href": "https://example.org/", "title": "Manual", "rel": "documentation"}],
    )
    assert tool == {
        "cwlVersion": "v1.2",
        "class": "CommandLineTool",
        "id": "text-remove-x",
        "label": "Remove every x",
        "doc": "Deletes the letter x.",
        "$namespaces": {"s": "https://schema.org/"},
        "s:identifier": "text/remove-x",
        "s:maintainer": ["text"],
        "s:keywords": ["text"],
        "s:relatedLink": [
            {"s:url": "https://example.org/", "s:name": "Manual", "s:linkRelationship": "documentation"}
        ],
        "baseCommand": ["/usr/bin/tr"],
        "arguments": ["-d", "x"],
        "stdin": "$(inputs.input.path)",
        "stdout": "output",
        "inputs": {"input": {"type": "File"}},
        "outputs": {"output": {"type": "stdout"}},
        "requirements": {
            "EnvVarRequirement": {"envDef": {"LC_ALL": "C.UTF-8"}},
            "ToolTimeLimit": {"timelimit": 10},
        },
    }


def test_files_have_paths_of_the_runner() -> None:
    tool = tool_of(
        {
            "exec": "ffmpeg",
            "argv": ["-i", "${input_file}", "--out=${output_file}", "\\${input_file}"],
            "input_adapter": {"input_type": "file", "input_params": {"file_path": "${input_file}"}},
            "output_adapter": {
                "output_type": "file",
                "output_params": {"file_path": "${output_file}", "suffix": ".mp3"},
            },
        }
    )
    assert [evaluated(text, VALUES) for text in tool["arguments"]] == [
        "-i",
        "/in/message",
        "--out=/out/output.mp3",
        "\\/in/message",
    ]
    assert tool["outputs"] == {"output": {"type": "File", "outputBinding": {"glob": "output.mp3"}}}
    assert not {"stdin", "stdout"} & set(tool)


def test_a_fixed_relative_path_is_in_the_folder_of_the_run() -> None:
    tool = tool_of(
        {
            "exec": "x",
            "input_adapter": {"input_type": "file", "input_params": {"file_path": "in/$(a)"}},
            "output_adapter": {"output_type": "file", "output_params": {"file_path": "out.nc"}},
        }
    )
    assert tool["requirements"]["InitialWorkDirRequirement"] == {
        "listing": [{"entryname": "in/\\$(a)", "entry": "$(inputs.input)"}]
    }
    assert tool["outputs"]["output"]["outputBinding"] == {"glob": "out.nc"}


@pytest.mark.parametrize("path", ["/srv/in", "../in", "a/../../in"])
def test_a_path_outside_of_the_folder_of_the_run_is_lost(path: str) -> None:
    inside = {
        "exec": "x",
        "input_adapter": {"input_type": "file", "input_params": {"file_path": path}},
        "output_adapter": {"output_type": "file", "output_params": {"file_path": path}},
    }
    tool = tool_of(inside)
    assert tool["inputs"] == tool["outputs"] == {}
    assert lost(inside) == ["/definition/input_adapter", "/definition/output_adapter"]


def test_the_answer_can_be_standard_error() -> None:
    adapter = {"output_type": "file", "output_params": {"file_type": "stream", "stream_name": "STDERR"}}
    tool = tool_of({"exec": "x", "input_adapter": {"input_type": "none"}, "output_adapter": adapter})
    assert tool["inputs"] == {}
    assert (tool["stderr"], tool["outputs"]) == ("output", {"output": {"type": "stderr"}})


def test_a_variable_of_the_host_is_an_input() -> None:
    tool = tool_of(
        {"exec": "x", "environment": {"A": "${TOKEN}", "B": "${TOKEN}", "C": "${TOKEN} "[:-1] + "x"}}
    )
    variables = tool["requirements"]["EnvVarRequirement"]["envDef"]
    assert {name: evaluated(text, VALUES) for name, text in variables.items()} == {
        "A": "${TOKEN}",
        "B": "${TOKEN}",
        "C": "${TOKEN}x",
    }
    assert tool["inputs"]["env_TOKEN"]["type"] == "string"


def test_the_container_of_the_application_is_a_hint() -> None:
    application = {
        "container_image": "example.org/x:1",
        "container_resources": {"cpu": "500m", "memory": "1G"},
    }
    assert tool_of({"exec": "x", "application": "app"}, application)["hints"] == {
        "DockerRequirement": {"dockerPull": "example.org/x:1"},
        "NetworkAccess": {"networkAccess": True},
        "ResourceRequirement": {"coresMin": 0.5, "ramMin": 954},
    }
    assert tool_of({"exec": "x"}, {"container_resources": {"cpu": 2}})["hints"] == {
        "ResourceRequirement": {"coresMin": 2}
    }
    assert lost({"exec": "x", "application": "app"}) == ["/definition/application"]


def test_a_part_of_a_second_is_rounded_up_and_reported() -> None:
    inside = {"exec": "x", "timeout": 0.5}
    assert tool_of(inside)["requirements"] == {"ToolTimeLimit": {"timelimit": 1}}
    assert lost(inside) == ["/definition/timeout"]
    assert lost({"exec": "x", "timeout": 2.0}) == []


def test_losses_are_comments() -> None:
    one = exportable({"exec": "x", "cwd": "/srv", "x-team": 1}, interface={"input": {}})
    text = with_losses(EXPORTER, EXPORTER.export(one))
    assert re.findall(r"^#   (\S+): ", text, re.MULTILINE) == [
        "/interface",
        "/definition/cwd",
        "/definition/x-team",
    ]
    assert "# text/remove-x, id 7\n" in text


@pytest.mark.parametrize(
    ("inside", "field"),
    [
        ({"process_type": "service"}, "/definition/process_type"),
        ({"argv": ["a", " $(x)"]}, "/definition/argv/1"),
        ({"argv": ["${x}\n"]}, "/definition/argv/0"),
        ({"environment": {"a/b": "${x} "}}, "/definition/environment/a~1b"),
        (
            {"output_adapter": {"output_type": "file", "output_params": {"file_path": "*.nc"}}},
            "/definition/output_adapter",
        ),
        (
            {"input_adapter": {"input_type": "pipe", "input_params": {"pipe_path": "p"}}},
            "/definition/input_adapter",
        ),
    ],
)
def test_what_is_refused(inside: dict[str, Any], field: str) -> None:
    with pytest.raises(NotExportableError) as caught:
        EXPORTER.export(exportable({"exec": "x"} | inside))
    assert caught.value.field == field


@given(st.lists(HOSTILE, max_size=4), st.dictionaries(st.sampled_from("ABC"), HOSTILE), HOSTILE)
def test_hostile_texts_arrive_or_are_refused(argv: list[str], environment: dict[str, str], name: str) -> None:
    inside = {
        "exec": f"/bin/{name}",
        "argv": argv,
        "environment": environment,
        "input_adapter": {"input_type": "file", "input_params": {"file_path": "${input_file}"}},
    }
    try:
        tool = tool_of(inside, title=name, description=name)
    except NotExportableError as error:
        texts = [*argv, *environment.values()]
        assert any(text != text.strip() and ("$(" in text or "${" in text) for text in texts), error
        return
    assert tool["baseCommand"] == [f"/bin/{name}"]
    assert (tool.get("label", ""), tool.get("doc", "")) == (name, name)
    expected = [text.replace("${input_file}", "/in/message") for text in argv]
    assert [evaluated(text, VALUES) for text in tool.get("arguments", [])] == expected
    variables = tool.get("requirements", {}).get("EnvVarRequirement", {}).get("envDef", {})
    assert {key: evaluated(text, VALUES) for key, text in variables.items()} == environment


def test_the_table_has_all_parts() -> None:
    assert list(EXPORTER.table) == list(DEFINITION_PARTS)


def test_the_command_writes_a_file_for_each_definition(repo: RepoBuilder, run: Run) -> None:
    repo.define("a/filter", "title: Filter\nowners: [a]\ndefinition: {exec: /bin/cat}\n")
    repo.define("b", "title: B\nowners: [a]\ndefinition: {exec: /bin/serve, process_type: service}\n")
    done = run("export", "-C", str(repo.root), "--all", "--to", "cwl", "--out", str(repo.root / "out"))
    assert done.code == 1
    assert "b: /definition/process_type cannot be exported: a CWL tool is a program that ends" in done.err
    assert [path.name for path in (repo.root / "out").iterdir()] == ["a-filter.cwl"]
