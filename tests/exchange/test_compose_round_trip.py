"""What an exported Compose file gives back, when it is imported: everything but what the table lists as lost."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from registry.exchange.compose import EXPORTER
from registry.exchange.compose_import import read_compose
from registry.exchange.exporter import Exportable, with_losses
from registry.exchange.importer import ImportOptions
from tests.support.hostile_text import TEXTS

LINES = st.from_regex(r"[^\s\x00-\x1f\x7f-\x9f](?:[^\x00-\x1f\x7f-\x9f\s]| (?! )){0,40}", fullmatch=True).map(
    str.strip
)
VARIABLES = st.dictionaries(
    st.from_regex(r"[A-Z][A-Z_]{0,5}", fullmatch=True), TEXTS | st.just("${TOKEN}"), min_size=1, max_size=3
)
COMMON = {
    "argv": st.lists(TEXTS, min_size=1, max_size=3),
    "environment": VARIABLES,
    "cwd": LINES.map(lambda text: f"/{text}"),
    "x-note": TEXTS | st.lists(TEXTS, max_size=2),
}
AROUND = {
    "description": TEXTS.filter(bool),
    "owners": st.lists(LINES, min_size=1, max_size=2),
    "tags": st.just(["a", "b"]),
    "lifecycle": st.sampled_from(["experimental", "deprecated"]),
    "deprecation": st.fixed_dictionaries({"since": st.just("2026-03-01"), "reason": LINES}),
    "links": st.fixed_dictionaries({"href": st.just("https://example.org/$x"), "title": LINES}).map(
        lambda it: [it]
    ),
}
FILE = {"file_path": "${input_file}", "suffix": ".wav"}
SINGLE_ADAPTERS = {
    "input_adapter": st.just({"input_type": "file", "input_params": FILE}),
    "output_adapter": st.just({"output_type": "file", "output_params": {"file_path": "${output_file}"}}),
}
SERVICE_ADAPTERS = {
    "input_adapter": st.just({"input_type": "stream", "input_params": {"stream_name": "STDIN"}})
}


def definitions(
    process_type: str, fixed: dict[str, Any], **optional: Any
) -> st.SearchStrategy[dict[str, Any]]:
    always = {
        "exec": LINES,
        "application": st.just("media/app"),
        "process_type": st.just(process_type),
        **fixed,
    }
    return st.fixed_dictionaries(always, optional=COMMON | optional)


INSIDES = definitions(
    "single", {}, timeout=st.integers(1, 9_999) | st.sampled_from([0.5, 1.25]), **SINGLE_ADAPTERS
) | definitions("service", {}, **SERVICE_ADAPTERS)


@given(INSIDES, st.fixed_dictionaries({"title": LINES}, optional=AROUND))
def test_nothing_is_lost_on_the_way_and_back(inside: dict[str, Any], around: dict[str, Any]) -> None:
    image = {
        "container_image": "example.org/media:1",
        "container_resources": {"cpu": "250m", "memory": "512Mi"},
    }
    document = around | {"definition": inside}
    one = Exportable("process_definition", "audio/encode", 7, document, image, 3, "c0ffee")
    exported = EXPORTER.export(one)
    back = read_compose("compose.yaml", with_losses(EXPORTER, exported), ImportOptions())
    process, application = back.definitions
    assert process.name == "audio/encode"
    assert process.document == document
    assert (process.losses, back.losses, exported.losses) == ((), (), ())
    assert application.name == "media/app"
    assert {key: application.document[key] for key in image} == image
