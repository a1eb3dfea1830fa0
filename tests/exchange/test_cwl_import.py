"""CWL tools: what a definition gets from them, what is lost, and what is refused."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import UsageError
from registry.exchange.cwl import EXPORTER
from registry.exchange.cwl_import import read_cwl
from registry.exchange.exporter import NotExportableError, with_losses
from registry.exchange.importer import Imported, ImportedText, ImportOptions
from registry.exchange.importing import ForeignText, plan_import, read_file, write_import
from tests.conftest import Run
from tests.exchange.cwl_reader import read_cwl as read_cwl_document
from tests.support.corpora import corpus
from tests.support.hostile_text import ENVIRONMENTS, TEXTS, exportable
from tests.support.odd_values import ODD_VALUES, places_in, with_value
from tests.support.repo import RepoBuilder

HEAD = "cwlVersion: v1.2\nclass: CommandLineTool\n"
SORT = """\
cwlVersion: v1.2
class: CommandLineTool
id: sort-by
label: Sort lines
doc: [Sorts a file, by a column.]
baseCommand: [sort, -s]
arguments:
  - {position: 2, prefix: -T, valueFrom: /tmp}
  - --debug
  - {position: -1, valueFrom: "\\\\$(x) \\\\\\\\ $(inputs.column)"}
inputs:
  column: {type: int, default: 2, inputBinding: {prefix: -k, position: 1}}
  reverse: {type: boolean, default: true, inputBinding: {prefix: -r, position: 1}}
  unique: {type: boolean, default: false, inputBinding: {prefix: -u}}
  separator: {type: string?, inputBinding: {prefix: -t}}
  lines: {type: File, format: edam:format_2330, inputBinding: {position: 3}}
outputs:
  sorted: {type: File, outputBinding: {glob: sorted.txt}}
  log: {type: stderr}
stdout: sorted.txt
requirements:
  - class: ToolTimeLimit
    timelimit: 60
  - class: EnvVarRequirement
    envDef: [{envName: LC_ALL, envValue: C}]
hints:
  DockerRequirement: {dockerPull: "example.org/tools/coreutils:9.1"}
  ResourceRequirement: {coresMin: 0.5, ramMin: 512, tmpdirMin: 1}
  ex:Unknown: {}
"""


def read(text: str, **values: str) -> ImportedText:
    return read_cwl("tools/a tool.cwl", text, ImportOptions(values=values))


def tool(text: str, **values: str) -> Imported:
    """The definition of a tool with these lines."""
    return read(HEAD + text, **values).definitions[0]


def inside(text: str, **values: str) -> dict[str, Any]:
    """The content of `definition`."""
    content: dict[str, Any] = tool(text, **values).document["definition"]
    return content


def test_a_tool_gives_what_a_definition_can_hold_and_lists_the_rest() -> None:
    found, application = read(SORT).definitions
    assert found.name == "sort-by"
    assert found.document == {
        "title": "Sort lines",
        "description": "Sorts a file, by a column.".replace(", ", "\n"),
        "definition": {
            "exec": "sort",
            "application": "coreutils",
            "process_type": "single",
            "timeout": 60,
            "environment": {"LC_ALL": "C"},
            "argv": ["-s", "$(x) \\ 2", "--debug", "-k", "2", "-r", "-T", "/tmp", "${input_file}"],
            "input_adapter": {"input_type": "file", "input_params": {"file_path": "${input_file}"}},
            "output_adapter": {
                "output_type": "file",
                "output_params": {"file_type": "stream", "stream_name": "STDOUT"},
            },
        },
    }
    assert {loss.field for loss in found.losses} == {
        "inputs.column",
        "inputs.reverse",
        "inputs.unique",
        "inputs.separator",
        "inputs.lines.format",
        "outputs.log",
        "hints.ResourceRequirement.tmpdirMin",
        "hints.ex:Unknown",
    }
    assert all(loss.line for loss in found.losses)
    assert (application.kind, application.name) == ("application", "coreutils")
    assert application.document["container_image"] == "example.org/tools/coreutils:9.1"
    assert application.document["container_resources"] == {"cpu": "500m", "memory": "512Mi"}


def test_a_tool_without_files_has_no_messages() -> None:
    content = inside("baseCommand: 'true'\ninputs: []\noutputs: {}\n")
    assert content["input_adapter"] == {"input_type": "none"}
    assert content["output_adapter"] == {"output_type": "none"}


def test_standard_input_can_be_a_type_or_a_reference() -> None:
    by_type = inside("baseCommand: cat\ninputs: {a: stdin}\noutputs: {b: stdout}\n")
    by_reference = inside(
        "baseCommand: cat\ninputs: {a: File}\nstdin: $(inputs['a'].path)\nstdout: x\noutputs: {b: stdout}\n"
    )
    assert by_type == by_reference
    assert by_type["input_adapter"]["input_params"]["stream_name"] == "STDIN"


def test_a_text_without_a_value_is_a_variable_of_the_host() -> None:
    found = tool(
        "baseCommand: x\ninputs: {token: string}\noutputs: []\n"
        "requirements: {EnvVarRequirement: {envDef: {TOKEN: $(inputs.token)}}}\n"
    )
    assert found.document["definition"]["environment"] == {"TOKEN": "${token}"}
    assert found.notes == ("the input token is now the variable token of the host",)


def test_set_gives_a_parameter_a_value() -> None:
    text = "baseCommand: x\ninputs: {n: {type: int, inputBinding: {prefix: -n=, separate: false}}}\noutputs: []\n"
    assert inside(text, n="7")["argv"] == ["-n=7"]
    with pytest.raises(UsageError, match="needs a value") as caught:
        inside(text)
    assert caught.value.hint == "fix it with --set n=VALUE"
    with pytest.raises(UsageError, match="'many', which is no int"):
        inside(text, n="many")
    with pytest.raises(UsageError, match="there is no input m"):
        inside(text, n="7", m="8")


def test_a_reference_names_the_parameter_that_needs_a_value() -> None:
    text = "baseCommand: mkdir\narguments: [$(inputs.name)/a]\ninputs: {name: string?}\noutputs: []\n"
    with pytest.raises(UsageError) as caught:
        inside(text)
    assert caught.value.hint == "fix it with --set name=VALUE"
    assert inside(text, name="b")["argv"] == ["b/a"]


def test_a_number_has_no_exponent_on_a_command_line() -> None:
    text = "baseCommand: x\ninputs: {n: {type: double, default: 1.5e-05, inputBinding: {}}}\noutputs: []\n"
    assert inside(text)["argv"] == ["0.000015"]
    assert inside(text, n="2.50")["argv"] == ["2.50"]
    # Within a text it would be written in another way.
    in_text = f"{text}arguments: [a$(inputs.n)]\n"
    assert inside(in_text, n="2.5")["argv"] == ["a2.5", "2.5"]
    for value in ("2.50", "1e-05"):
        with pytest.raises(UsageError, match="unknown before a run"):
            inside(in_text, n=value)


@pytest.mark.parametrize(
    ("output", "lost"),
    [
        ("{type: File, outputBinding: {glob: '*.txt'}}", True),
        ("{type: Directory, outputBinding: {glob: a}}", True),
        ("{type: int, outputBinding: {glob: a, loadContents: true, outputEval: $(1)}}", True),
        ("{type: File, outputBinding: {glob: a.txt}}", False),
    ],
)
def test_outputs_that_are_no_file_with_a_known_name_are_lost(output: str, lost: bool) -> None:
    found = tool(f"baseCommand: x\ninputs: []\noutputs: {{o: {output}}}\n")
    assert ("outputs.o" in [loss.field for loss in found.losses]) == lost
    adapter = found.document["definition"]["output_adapter"]
    assert adapter == (
        {"output_type": "none"} if lost else {"output_type": "file", "output_params": {"file_path": "a.txt"}}
    )


BODY = "baseCommand: x\ninputs: []\noutputs: []\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cwlVersion: v1.2\nclass: Workflow\nsteps: []\n", "a workflow has several steps"),
        ("cwlVersion: v1.2\nclass: ExpressionTool\n", "it is JavaScript"),
        ("cwlVersion: v1.2\n", "class is missing"),
        ("class: CommandLineTool\n" + BODY, "cwlVersion is missing"),
        ("cwlVersion: draft-3\nclass: CommandLineTool\n" + BODY, "cwlVersion draft-3"),
        ("cwlVersion: v1.2\n$graph: []\n", "several tools or steps"),
        ("[1]", "not a CWL document"),
        ("a: [", "not valid YAML"),
        (HEAD + BODY + "requirements: {ShellCommandRequirement: {}}\n", "a text for a shell"),
        (HEAD + BODY + "requirements: [{class: 'ex:Other'}]\n", "ex:Other is not supported"),
        (HEAD + BODY + "requirements: [$import: a.yml]\n", "includes another file"),
        (HEAD + BODY + "arguments: [$(runtime.cores)]\n", "unknown before a run"),
        (HEAD + BODY + "arguments: ['${return 1}']\n", "is JavaScript"),
        (HEAD + BODY + "arguments: [$(1 + 1)]\n", "is JavaScript"),
        (HEAD + BODY + "arguments: [$(runtime.outdir)/x]\n", "the folder of a run is unknown"),
        (HEAD + BODY + 'arguments: ["\\0"]\n', "NUL"),
        (HEAD + BODY + "arguments: [{position: $(1), valueFrom: a}]\n", "is not a number"),
        (HEAD + BODY + "stdin: a.txt\n", "standard input is not the input file"),
        (
            HEAD.replace("2", "0") + BODY + "arguments: ['\\$(a) $(runtime.x)']\n",
            "mean something else in v1.0",
        ),
        (
            HEAD + "inputs: [{id: a, type: File}, {id: b, type: File}]\noutputs: []\n",
            "several input files: a, b",
        ),
        (HEAD + "baseCommand: x\ninputs: {a: Directory}\noutputs: []\n", r"the input a \(Directory\) needs"),
        (HEAD + "baseCommand: x\ninputs: {a: 'File[]'}\noutputs: []\n", r"the input a \(array\) needs"),
        (HEAD + "inputs: []\noutputs: []\n", "there is no program"),
        (HEAD + "inputs: []\noutputs: []\nhints: {DockerRequirement: {dockerPull: a}}\n", "is in the image"),
        (
            HEAD
            + "baseCommand: x\ninputs: {a: {type: File, inputBinding: {}}}\nstdin: $(inputs.a.path)\noutputs: []\n",
            "passed in several ways",
        ),
        (
            HEAD
            + "baseCommand: x\ninputs: {a: {type: File, inputBinding: {}}}\narguments: ['\\${input_file}']\noutputs: []",
            "an argument contains",
        ),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        read(text)
    assert caught.value.message.startswith("tools/a tool.cwl")


def test_aliases_of_aliases_take_no_time() -> None:
    bomb = "".join(f"x{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]\n" for n in range(60))
    assert len(tool(BODY + bomb).losses) == 60


def test_a_value_of_another_type_is_refused_or_lost() -> None:
    document = read_cwl_document(SORT)
    refused = 0
    for place in places_in(document):
        for value in ODD_VALUES:
            text = json.dumps(with_value(document, place, value))
            try:
                read(text, **({"column": "3"} if "column" in text else {}))
            except UsageError as error:
                refused += 1
                assert error.message.startswith("tools/a tool.cwl")
    assert refused > 100


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        (f"doc: {'x' * 10_241}", ["doc"]),
        ('"s:maintainer": [a, "b\\n"]', ["s:maintainer"]),
        ('"s:keywords": [Upper]', ["s:keywords"]),
        ('"s:keywords": [a, a]', []),
        ('"s:relatedLink": [{"s:url": "http://example.org"}]', ["s:relatedLink"]),
        (
            '"s:relatedLink": [{"s:url": "https://example.org", "s:linkRelationship": "A b"}]',
            ["s:relatedLink"],
        ),
        ('outputs: {o: {type: File, outputBinding: {glob: "a\\nb"}}}', ["outputs.o"]),
    ],
)
def test_what_a_definition_cannot_hold_is_lost(
    lines: str, lost: list[str], repo: RepoBuilder, run: Run
) -> None:
    others = "baseCommand: x\ninputs: []\n" + ("" if lines.startswith("outputs") else "outputs: []\n")
    text = f'{HEAD}$namespaces: {{s: "https://schema.org/"}}\n{others}{lines}\n'
    (repo.root / "definitions").mkdir()
    plan = plan_import(repo.root, [lambda: ForeignText("x.cwl", text, "cwl")], "", ImportOptions())
    assert [loss.field for loss in plan.files[0].losses] == lost
    write_import(plan)
    assert run("check", "-C", str(repo.root)).code == 0


PARTS = st.fixed_dictionaries(
    {"argv": st.lists(TEXTS, max_size=4), "environment": ENVIRONMENTS},
    optional={
        "timeout": st.integers(1, 1000),
        "title": st.sampled_from(["Sort lines", "a: b"]),
        "description": st.sampled_from(["One\nline", "x"]),
        "owners": st.lists(st.sampled_from(["a", "b: c", "null"]), min_size=1, unique=True),
        "tags": st.lists(st.sampled_from(["a", "c+d", "1"]), min_size=1, unique=True),
        "links": st.just([{"href": "https://example.org/?a#b", "title": "T", "rel": "runbook"}]),
        "input_adapter": st.sampled_from(
            [
                {"input_type": "none"},
                {"input_type": "file", "input_params": {"file_type": "stream", "stream_name": "STDIN"}},
                {"input_type": "file", "input_params": {"file_path": "in/x"}},
            ]
        ),
        "output_adapter": st.sampled_from(
            [
                {"output_type": "none"},
                {"output_type": "file", "output_params": {"file_type": "stream", "stream_name": "STDOUT"}},
                {"output_type": "file", "output_params": {"file_type": "stream", "stream_name": "STDERR"}},
                {"output_type": "file", "output_params": {"file_path": "out.nc"}},
            ]
        ),
    },
)


@given(PARTS)
def test_a_round_trip_keeps_a_definition(parts: dict[str, Any]) -> None:
    one = exportable("text/a.b+c", **parts, process_type="single")
    try:
        exported = EXPORTER.export(one)
    except NotExportableError:
        return
    assert exported.losses == ()
    (found,) = read(with_losses(EXPORTER, exported)).definitions
    assert found.losses == ()
    expected = dict(one.document) | {"title": one.document.get("title", "A b+c")}
    wanted = dict(one.document["definition"])
    for side, stream in (("input", "STDIN"), ("output", "STDOUT")):
        default = {"file_type": "stream", "stream_name": stream}
        wanted.setdefault(f"{side}_adapter", {f"{side}_type": "file", f"{side}_params": default})
    wanted = {key: value for key, value in wanted.items() if value not in ([], {})}
    assert found.name == "text/a.b+c"
    assert found.document == expected | {"definition": wanted}


def test_a_round_trip_keeps_files_of_each_run() -> None:
    parts: dict[str, Any] = {
        "argv": ["-i", "${input_file}", "--out=${output_file}"],
        "input_adapter": {"input_type": "file", "input_params": {"file_path": "${input_file}"}},
        "output_adapter": {
            "output_type": "file",
            "output_params": {"file_path": "${output_file}", "suffix": ".tar.gz"},
        },
    }
    exported = EXPORTER.export(exportable(**parts))
    (found,) = read(exported.text).definitions
    assert {key: found.document["definition"][key] for key in parts} == parts


def test_every_tool_of_the_conformance_tests_is_imported_or_refused_with_a_reason(
    repo: RepoBuilder, run: Run
) -> None:
    imported: list[str] = []
    refused: list[str] = []
    (repo.root / "definitions").mkdir()
    for file in sorted(corpus("cwl").glob("*.cwl")):
        try:
            source = partial(read_file, file, "cwl")
            write_import(plan_import(repo.root, [source], f"f{len(imported)}", ImportOptions()))
        except UsageError as error:
            assert error.message.startswith(f"{file}")
            refused.append(file.name)
        else:
            imported.append(file.name)
    assert len(imported) >= 40
    assert len(refused) >= 100
    done = run("check", "-C", str(repo.root))
    assert done.code == 0, done.out + done.err


def test_the_command_imports_a_tool(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "sort.cwl"
    file.write_text(SORT.replace("default: 2, ", ""))
    (repo.root / "definitions").mkdir()
    done = run("import", str(file), "-C", str(repo.root))
    assert (done.code, "fix it with --set column=VALUE" in done.err) == (2, True)
    done = run("import", str(file), "-C", str(repo.root), "--set", "column=3", "--folder", "text")
    assert done.code == 0, done.err
    assert "hints.ex:Unknown is lost" in done.err
    assert run("check", "-C", str(repo.root)).code == 0
    assert (repo.root / "definitions/process_definition/text/sort-by.yaml").exists()
    other = tmp_path / "Procfile"
    other.write_text("web: /bin/x\n")
    done = run("import", str(other), "-C", str(repo.root), "--set", "column=3")
    assert (done.code, "has no parameters" in done.err) == (2, True)
    assert run("import", str(file), "-C", str(repo.root), "--set", "column").code == 2
