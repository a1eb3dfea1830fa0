"""Commands of definitions through `registry-run`."""

from typing import Any

import pytest

from registry.exchange.exporter import Exportable, NotExportableError
from registry.exchange.wrapped_command import wrapped_command

FILES = {
    "input_adapter": {"input_type": "file", "input_params": {"file_path": "${input_file}", "suffix": ".wav"}},
    "output_adapter": {"output_type": "file", "output_params": {"file_path": "${output_file}"}},
}


def exportable(**inside: Any) -> Exportable:
    return Exportable("process_definition", "a/b", None, {"definition": {"exec": "/bin/x", **inside}})


@pytest.mark.parametrize(
    ("inside", "options"),
    [
        ({"timeout": 60}, ["-t", "60"]),
        ({"timeout": 90.0, "process_type": "single"}, ["-t", "90"]),
        ({"timeout": 0.00001}, ["-t", "0.00001"]),
        (FILES, ["-i", "-I", ".wav", "-o"]),
        ({"timeout": 1.5, "output_adapter": FILES["output_adapter"]}, ["-t", "1.5", "-o"]),
    ],
)
def test_what_needs_the_wrapper(inside: dict[str, Any], options: list[str]) -> None:
    command = wrapped_command(exportable(argv=["${input_file}", ""], **inside))
    assert command.words == ("registry-run", *options, "--", "/bin/x", "${input_file}", "")
    assert command.is_wrapped


@pytest.mark.parametrize(
    "inside",
    [
        {},
        {"timeout": 60, "process_type": "service"},
        {
            "input_adapter": {
                "input_type": "file",
                "input_params": {"file_type": "stream", "stream_name": "STDIN"},
            }
        },
        {"output_adapter": {"output_type": "file", "output_params": {"file_path": "/tmp/fixed"}}},
        {"input_adapter": {"input_type": "pipe", "input_params": {"pipe_path": "/run/pipe"}}},
    ],
)
def test_what_starts_without_it(inside: dict[str, Any]) -> None:
    command = wrapped_command(exportable(argv=["-a"], **inside))
    assert (command.words, command.is_wrapped) == (("/bin/x", "-a"), False)


def test_a_format_with_time_limits_of_its_own() -> None:
    assert not wrapped_command(exportable(timeout=5), limits_time=False).is_wrapped


@pytest.mark.parametrize("name", ["a-b", "naïve", "1A", "PWD", "rr_limit", "REGISTRY_OUTPUT", "a/b"])
def test_variables_that_the_script_does_not_pass_on(name: str) -> None:
    with pytest.raises(NotExportableError) as caught:
        wrapped_command(exportable(timeout=5, environment={"FINE": "", name: "v"}))
    assert caught.value.field == "/definition/environment/" + name.replace("/", "~1")
    assert not wrapped_command(exportable(environment={name: "v"})).is_wrapped


def test_named_pipes_of_one_run_are_refused() -> None:
    adapter = {"output_type": "pipe", "output_params": {"pipe_path": "${output_file}"}}
    with pytest.raises(NotExportableError, match="named pipe") as caught:
        wrapped_command(exportable(output_adapter=adapter))
    assert caught.value.field == "/definition/output_adapter"
