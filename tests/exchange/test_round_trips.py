"""Export and import again: what comes back is the definition, without what the tables list as lost."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.exchange.exporter import Exportable, ExportedText, Exporter, NotExportableError
from registry.exchange.exporting import export_definitions
from registry.exchange.fields import DEFINITION_PARTS, Lost, adapter
from registry.exchange.formats import exporters, importers
from registry.exchange.importer import Imported, Importer, ImportOptions
from registry.load.kinds import load_kinds
from registry.load.source import WorkTree
from registry.model.pointer import steps_of
from tests.support.hostile_text import ENVIRONMENTS, TEXTS

IMPORTERS = {one.name: one for one in importers()}
BOTH_WAYS = [(one, IMPORTERS[one.name]) for one in exporters() if one.name in IMPORTERS]
# The program itself opens these files: a format carries them, because the process is the same without adapters.
OPENED_BY_THE_PROGRAM = ("append",)
STREAMS = {
    side: {
        f"{side}_type": "file",
        f"{side}_params": {"file_type": "stream", "stream_name": "STDIN" if side == "input" else "STDOUT"},
    }
    for side in ("input", "output")
}
FILES = {
    side: {f"{side}_type": "file", f"{side}_params": {"file_path": f"${{{side}_file}}"}}
    for side in ("input", "output")
}
APPEND = {"output_type": "append", "output_params": {"file_path": "/var/log/answers"}}
STREAM = {"input_type": "stream", "input_params": {"stream_name": "STDIN"}}
NAMES = st.sampled_from(["weather/qc", "a", "A/b", "a.b/c_d+e", "天气/质检", "1", "on", "x" * 150])
TITLES = st.sampled_from(
    ["Quality control, 100%", "a # b; c", 'Say "x" to $HOME \\', "天气", "- a: b", "yes", "${X}"]
)


def without_controls(text: str) -> str:
    """A text that the schema allows for a path."""
    return "".join(char for char in text if char >= " " and char != "\x7f")


PATHS = TEXTS.map(without_controls)


@st.composite
def definitions(draw: st.DrawFn) -> Exportable:
    """A process definition with any of its parts."""
    process_type = draw(st.sampled_from(["single", "service"]))
    inside: dict[str, Any] = {
        "exec": draw(st.one_of(st.just("/bin/program"), PATHS.filter(bool))),
        "application": "app",
        "process_type": process_type,
        "cwd": f"/{draw(PATHS)}",
        "environment": draw(ENVIRONMENTS),
        "argv": draw(st.lists(TEXTS, max_size=4)),
        "x-note": {draw(TEXTS): [draw(TEXTS), 1, True]},
    }
    if process_type == "single":
        inside["timeout"] = draw(st.sampled_from([1, 60, 0.5, 1.25, 3_600]))
        for side in ("input", "output"):
            choices: list[dict[str, Any] | None] = [None, STREAMS[side], FILES[side]]
            chosen = draw(st.sampled_from(choices))
            if chosen is not None:
                inside[f"{side}_adapter"] = chosen
            if chosen is FILES[side]:
                inside["argv"] = [f"--{side}=${{{side}_file}}", *inside["argv"]]
    elif draw(st.booleans()):
        inside |= {"input_adapter": STREAM, "output_adapter": APPEND}
    document = {
        "title": draw(TITLES),
        "description": draw(TEXTS.filter(bool)),
        "owners": ["team"],
        "tags": ["a"],
        "lifecycle": "deprecated",
        "deprecation": {"since": "2026-01-01", "reason": draw(TITLES)},
        "links": [{"href": "https://example.org/100%25", "title": "Page"}],
        "interface": {"input": {"description": "text"}},
        "examples": [{"title": "a", "input_text": "b"}],
        "definition": inside,
    }
    for key in list(document):
        if key != "definition" and draw(st.booleans()):
            del document[key]
    for key in ("application", "cwd", "environment", "argv", "x-note", "timeout"):
        if draw(st.sampled_from([False, False, True])) and "_file}" not in str(inside.get(key)):
            inside.pop(key, None)
    application = (
        {"container_image": "example.org/app:1", "definition": {}} if "application" in inside else None
    )
    return Exportable("process_definition", draw(NAMES), 7, document, application, 3, "c0ffee")


def lost_pointers(exporter: Exporter, one: Exportable, exported: ExportedText) -> list[str]:
    """JSON Pointers of what the format loses of a definition."""
    lost = [loss.field for loss in exported.losses if loss.field.startswith("/")]
    for name, part in DEFINITION_PARTS.items():
        if isinstance(exporter.table[name], Lost) or name in OPENED_BY_THE_PROGRAM:
            lost += part.pointers(one.document)
    return lost


def without(document: Mapping[str, Any], pointers: Iterable[str]) -> dict[str, Any]:
    """A copy of a document without the values at some pointers."""
    found = copy.deepcopy(dict(document))
    for pointer in pointers:
        *above, last = steps_of(pointer)
        node: Any = found
        for step in above:
            node = node.get(step, {}) if isinstance(node, dict) else node[int(step)]
        if isinstance(node, dict):
            node.pop(last, None)
    return found


def normal(document: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """A document in one form, without a title and adapters that `like` lacks: an import always has them."""
    found = copy.deepcopy(document)
    inside, wanted = found["definition"], like["definition"]
    for key in ("environment", "argv"):
        if not inside.get(key):
            inside.pop(key, None)
    if "title" not in like:
        found.pop("title", None)
    for side in ("input", "output"):
        type_, parameters = adapter(found, side)
        if f"{side}_adapter" not in wanted:
            inside.pop(f"{side}_adapter", None)
        elif type_ in ("", "file") and "file_path" not in parameters:
            inside[f"{side}_adapter"] = STREAMS[side]  # also without any adapter
    return found


def round_trip(exporter: Exporter, importer: Importer, one: Exportable) -> tuple[ExportedText, Imported]:
    """The export of a definition, and what an import makes of its file."""
    exported = exporter.export(one)
    ((path, text),) = export_definitions(exporter, [one]).files.items()
    found = importer.read(path, text, ImportOptions()).definitions
    (process,) = [each for each in found if each.kind == "process_definition"]
    return exported, process


@pytest.mark.parametrize(("exporter", "importer"), BOTH_WAYS, ids=[one.name for one, _ in BOTH_WAYS])
@settings(max_examples=40)
@given(definitions())
def test_what_no_table_lists_as_lost_comes_back(
    exporter: Exporter, importer: Importer, one: Exportable
) -> None:
    try:
        exported, found = round_trip(exporter, importer, one)
    except NotExportableError:
        return
    lost = lost_pointers(exporter, one, exported)
    wanted = without(one.document, lost)
    assert normal(without(found.document, lost), wanted) == normal(wanted, wanted)
    assert found.name == one.name


def test_formats_go_both_ways() -> None:
    assert {one.name for one, _ in BOTH_WAYS} >= {"systemd", "supervisord", "procfile", "compose"}


@pytest.mark.parametrize(("exporter", "importer"), BOTH_WAYS, ids=[one.name for one, _ in BOTH_WAYS])
def test_an_export_comes_back_without_losses_of_its_own(
    exporter: Exporter, importer: Importer, tmp_path: Any
) -> None:
    """What an export always writes is no loss, and the result is valid."""
    kinds, _ = load_kinds(WorkTree(tmp_path))
    application = {"container_image": "example.org/app:1", "definition": {}}
    for process_type in ("single", "service"):
        inside = {
            "exec": "/bin/x",
            "application": "app",
            "process_type": process_type,
            "environment": {"A": "1", "TOKEN": "${TOKEN}"},
            "cwd": "/srv",
            "argv": ["a b"],
        }
        document = {"title": "Title", "definition": inside}
        one = Exportable("process_definition", "weather/qc", 7, document, application, 3, "c0ffee")
        try:
            _, found = round_trip(exporter, importer, one)
        except NotExportableError:
            continue
        assert [str(loss) for loss in found.losses] == []
        assert kinds.by_name["process_definition"].validator.is_valid(found.document)
