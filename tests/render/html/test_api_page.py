"""The page about the API has every address with a command that works, and answers of this registry."""

import json
import re
import shlex
from html import unescape
from pathlib import Path

import pytest

from registry.cli import main
from registry.load.source import open_source
from registry.pipeline import build
from registry.render.html.json_excerpt import json_excerpt
from registry.site import Site
from tests.support.repo import RepoBuilder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with two definitions at a sub-path of a host."""
    folder = tmp_path_factory.mktemp("api")
    repo = RepoBuilder(folder / "repo")
    repo.write(
        "registry.yaml",
        "registry_id: registry-1\ntitle: R\nlayout: full\nbase_url: https://example.org/x/\n",
    )
    repo.define("bad", "title: <b>Bold</b>\nowners: [t]\ndefinition: {exec: /bin/bad}\n")
    repo.define("größer")
    repo.commit("Add")
    assert main(["index", "-C", str(repo.root)]) == 0
    assert build(open_source(repo.root), Site(folder / "site")).files
    return folder / "site"


@pytest.fixture(scope="module")
def page(site: Path) -> str:
    return (site / "_api/index.html").read_text(encoding="utf-8")


def test_it_has_every_address_and_every_schema_of_the_document(site: Path, page: str) -> None:
    document = json.loads((site / "api/openapi.json").read_bytes())
    addresses = re.findall(r"<summary><code>(/[^<]+)</code>", page)
    assert [unescape(one) for one in addresses] == list(document["paths"])
    ids = re.findall(r'id="schema-([^"]+)"', page)
    assert ids == list(document["components"]["schemas"])
    assert set(re.findall(r'href="#schema-([^"]+)"', page)) <= set(ids)


def test_its_commands_request_answers_that_exist(site: Path, page: str) -> None:
    commands = [unescape(one) for one in re.findall(r"<pre><code>(curl .+?)</code></pre>", page)]
    paths = []
    for command in commands:
        program, url = shlex.split(command)
        assert program == "curl" and url.startswith("https://example.org/x/api/")
        paths.append(url.removeprefix("https://example.org/x/"))
    only_live = [path for path in paths if "/set/" in path]
    missing = [path for path in paths if not (site / path).exists() and path not in only_live]
    # Neither list has a second page; no application exists.
    assert missing and all("/page/2/" in path or "api/application/" in path for path in missing)
    assert "api/process_definition/set/1;2/" in only_live
    assert len(commands) == len(paths) == page.count("<details") - page.count('id="schema-')


def test_its_examples_are_answers_of_this_registry(site: Path, page: str) -> None:
    example = page.partition('id="get_process_definition"')[2].partition("<bdi>")[2].partition("</bdi>")[0]
    shown = json.loads(unescape(example))
    answer = json.loads((site / "api/process_definition/1/index.json").read_bytes())
    long = answer["revision"].pop("message")
    assert long.startswith(shown["revision"].pop("message").removesuffix("…"))
    assert shown == answer
    assert "<b>Bold</b>" not in page


def test_the_header_leads_to_it_and_it_needs_no_script(site: Path, page: str) -> None:
    missing = (site / "404.html").read_text(encoding="utf-8")
    assert '<a href="/x/_api/">API</a>' in missing
    assert page.count("<script") == missing.count("<script"), "only those of all pages"
    assert "style=" not in page and "onclick" not in page


def test_an_excerpt_keeps_the_start_of_what_is_too_long() -> None:
    value = {"text": "x" * 500, "list": [*range(9)], "deep": {"a": {"b": {"c": {"d": {"e": 1}}}}}}
    shown = json_excerpt(value)
    assert "x" * 72 + '…"' in shown
    assert '"list": [0, 1, 2, …]' in shown
    assert '"d": {…}' in shown
    assert json.loads(json_excerpt({"a": [1, {"b": None}], "c": {}})) == {"a": [1, {"b": None}], "c": {}}
    assert json_excerpt(dict.fromkeys(map(str, range(50)), 0)).endswith(",\n  …\n}")
