"""How the message of a single process is passed."""

from typing import Any

import pytest

from registry.exchange.messages import MessageFile, message_file


@pytest.mark.parametrize(
    ("side", "adapter", "expected"),
    [
        ("input", None, MessageFile("input", stream="STDIN")),
        ("output", None, MessageFile("output", stream="STDOUT")),
        ("input", {"input_type": "none"}, None),
        ("output", {"output_type": "http", "output_params": {"tcp_port": 1, "path": "/"}}, None),
        (
            "output",
            {"output_type": "file", "output_params": {"file_type": "stream", "stream_name": "STDERR"}},
            MessageFile("output", stream="STDERR"),
        ),
        (
            "input",
            {"input_type": "file", "input_parameters": {"file_path": "${input_file}"}},
            MessageFile("input", path="${input_file}"),
        ),
        (
            "output",
            {"output_type": "file", "output_params": {"file_path": "${output_file}", "suffix": ".mp3"}},
            MessageFile("output", path="${output_file}", suffix=".mp3"),
        ),
        (
            "input",
            {"input_type": "file", "input_params": {"file": "/srv/in"}},
            MessageFile("input", path="/srv/in"),
        ),
        ("input", {"input_type": "file"}, None),
    ],
)
def test_messages(side: str, adapter: dict[str, Any] | None, expected: MessageFile | None) -> None:
    inside: dict[str, Any] = {"exec": "/bin/x"} | ({f"{side}_adapter": adapter} if adapter else {})
    assert message_file({"definition": inside}, side) == expected


def test_a_path_is_a_placeholder_or_fixed() -> None:
    assert MessageFile("input", path="${input_file}").is_placeholder
    assert MessageFile("input", path="in").is_fixed
    stream = MessageFile("input", stream="STDIN")
    assert not stream.is_placeholder
    assert not stream.is_fixed
