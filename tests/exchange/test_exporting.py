"""What is the same for all formats of an export."""

import dataclasses
from typing import Any

import pytest

from registry.exchange.exporter import Exportable, ExportedText, Exporter, with_losses
from registry.exchange.exporting import export_definitions
from registry.exchange.fields import DEFINITION_PARTS, Carried, Loss, loss_lines
from tests.support.hostile_text import exportable


def _export(one: Exportable) -> ExportedText:
    return ExportedText(f"{one.name}\n", (Loss("/tags", "no tags"),))


EXPORTER = Exporter(
    "x", "X files", dict.fromkeys(DEFINITION_PARTS, Carried("x")), _export, lambda name: name.upper()
)


def test_losses_are_grouped_by_reason_in_their_order() -> None:
    losses = [Loss("/b", "one"), Loss("/a", "two"), Loss("/c", "one"), Loss("/b", "one")]
    assert loss_lines(losses) == ["/b, /c: one", "/a: two"]


def test_losses_are_comments_before_the_text() -> None:
    exported = ExportedText("text\n", (Loss("/a", "one\nline"), Loss("/b", "one\nline")))
    assert with_losses(EXPORTER, exported) == "# Not carried by X files:\n#   /a, /b: one line\ntext\n"
    assert with_losses(dataclasses.replace(EXPORTER, comment=""), exported) == "text\n"
    assert with_losses(EXPORTER, ExportedText("text\n")) == "text\n"


def test_each_definition_is_exported_or_refused() -> None:
    hidden = dataclasses.replace(exportable("hidden"), hidden=("/description", "/definition/argv/1"))
    harmless = dataclasses.replace(exportable("harmless"), hidden=("/description",))
    result = export_definitions(EXPORTER, [hidden, harmless])
    assert list(result.files) == ["HARMLESS"]
    assert [(one.name, one.field) for one in result.refused] == [("hidden", "/definition/argv/1")]
    assert list(result.losses) == ["harmless"]


@pytest.mark.parametrize(
    ("inside", "field"),
    [
        ({"exec": "/bin/a\0"}, "/definition/exec"),
        ({"argv": ["", "a\0b"]}, "/definition/argv/1"),
        ({"environment": {"a/b": "\ud800"}}, "/definition/environment/a~1b"),
    ],
)
def test_what_no_program_can_get_is_refused(inside: dict[str, Any], field: str) -> None:
    result = export_definitions(EXPORTER, [exportable(**inside)])
    assert result.files == {}
    assert [one.field for one in result.refused] == [field]
