"""Entity tags and `If-Match`."""

import pytest

from registry.writes.conditions import ANY, EntityTag, parse_if_match, tag_of
from registry.writes.rejection import RejectedError

DIGEST = "0123456789abcdef01234567"


def test_a_tag_is_parsed_as_it_is_written() -> None:
    tag = tag_of(7, b"answer")
    assert parse_if_match(str(tag)) == (tag,)
    assert tag_of(7, b"other") != tag


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("*", ANY),
        (" * ", ANY),
        (f'"3-{DIGEST}"', (EntityTag(3, DIGEST),)),
        (f'"3-{DIGEST}-gzip"', (EntityTag(3, DIGEST),)),
        (f'"x", "4-{DIGEST}-br" , "3-{DIGEST}"', (EntityTag(4, DIGEST), EntityTag(3, DIGEST))),
        (f'W/"3-{DIGEST}"', ()),
        ('"another"', ()),
        ('""', ()),
    ],
)
def test_headers(header: str, tags: object) -> None:
    assert parse_if_match(header) == tags


@pytest.mark.parametrize("header", ["", "3", f"3-{DIGEST}", '"open', "*, *", '"a" "b"x', '"a",' * 70 + '"a"'])
def test_malformed_headers_are_refused(header: str) -> None:
    with pytest.raises(RejectedError) as error:
        parse_if_match(header)
    assert error.value.status == 400
