import pytest

from registry.execution.framing import frame, joined_messages


@pytest.mark.parametrize(
    ("framing", "stream"),
    [
        ("whole", b"a\0b"),
        ("lines", b"a\0b\n"),
        ("nul", b"a\0b\0"),
        ("netstring", b"3:a\0b,"),
        ("length32", b"\0\0\0\3a\0b"),
    ],
)
def test_the_bytes_on_the_stream(framing: str, stream: bytes) -> None:
    assert frame(b"a\0b", framing) == stream


@pytest.mark.parametrize("framing", ["nul", "netstring", "length32"])
def test_answers_are_separated_by_line_feeds(framing: str) -> None:
    stream = frame(b"one", framing) + frame(b"", framing) + frame(b"two", framing)
    assert joined_messages(stream, framing) == b"one\n\ntwo"
    assert joined_messages(b"", framing) == b""


@pytest.mark.parametrize("framing", ["netstring", "length32"])
@pytest.mark.parametrize("broken", [b"9999999999999999999:a,", b"x", b"5:ab,", b"\xff\xff\xff\xffa", b":,"])
def test_what_is_no_message_is_kept(framing: str, broken: bytes) -> None:
    assert joined_messages(frame(b"a", framing) + broken, framing) == b"a\n" + broken
