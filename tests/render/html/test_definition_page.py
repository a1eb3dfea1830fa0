"""The page of one definition: everything about it, each thing once, and nothing that a value can break."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from registry.load.source import open_source
from registry.pipeline import build
from registry.site import Site
from tests.support.repo import RepoBuilder

HOSTILE = "</title><script>alert(1)</script> & \u202eevil"
SETTINGS = (
    "registry_id: registry-1\nbase_url: https://registry.example.org/sub/\nrepo_url: https://github.com/o/r\n"
)
ENCODE = """\
id: 1
title: Encode
owners: [t]
lifecycle: deprecated
deprecation: {since: "2026-01-01", replaced_by: audio/new}
interface: {input: {description: One recording, media_types: [audio/wav]}}
examples:
- {title: first, input_text: a, output_text: b}
- {title: second, input_text: "50 %", output_text: "100 %s"}
- {title: third, output_contains: "<total> 5 %", output_size: {min: 1, max: 20000}, exit_code: 0}
definition:
  exec: /bin/encode
  application: tools
  cwd: /srv/media
  argv: ["-i", "${input_file}", "100 %"]
  environment: {LEVEL: info}
  input_adapter: {input_type: file, input_params: {file_path: "${input_file}"}}
  output_adapter: {output_type: file, output_params: {file_type: stream, stream_name: STDOUT}}
"""
APPLICATION = "id: 1\ntitle: Tools\nowners: [t]\ndefinition:\n  mappings: {hotel: {iaas_image: i, iaas_allocation: a}}\n"


class Ids(HTMLParser):
    """Collects the ids of a page, and the fragments that its links and labels refer to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.wanted: set[str] = set()
        self.styles: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name == "href" and (value or "").startswith("#"):
                self.wanted.add((value or "")[1:])
            elif name == "aria-labelledby" or (name == "data-copy" and value):
                self.wanted.add((value or "").lstrip("#"))
            elif name == "style":
                self.styles.append(value or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    repo = RepoBuilder(folder / "repo")
    repo.write("registry.yaml", SETTINGS)
    repo.define("tools", APPLICATION, "application")
    repo.define("audio/encode", ENCODE)
    repo.define("audio/new", "id: 2\ntitle: New\nowners: [t]\ndefinition: {exec: /bin/new}\n")
    repo.define(
        "hostile", f"id: 3\nowners: [t]\ndefinition:\n  exec: '/bin/{HOSTILE.replace(chr(0x202E), '')}'\n"
    )
    repo.define("pending", "title: P\nowners: [t]\ndefinition: {exec: cd, argv: []}\n")
    repo.commit("Add everything")
    assert build(open_source(repo.root), Site(folder / "site")).files
    return folder / "site"


def page_of(site: Path, path: str) -> str:
    return (site / path / "index.html").read_text(encoding="utf-8")


NAMES = [
    "process_definition/audio/encode",
    "process_definition/audio/new",
    "process_definition/hostile",
    "process_definition/pending",
    "application/tools",
]


@pytest.mark.parametrize("path", NAMES)
def test_links_within_the_page_lead_to_one_place_and_the_policy_allows_everything(
    site: Path, path: str
) -> None:
    found = Ids(page_of(site, path))
    assert len(found.ids) == len(set(found.ids))
    assert found.wanted - {"main"} <= set(found.ids)
    assert found.styles == []


def test_the_command_comes_first_and_can_be_copied(site: Path) -> None:
    page = page_of(site, "process_definition/audio/encode")
    command = re.search(r'<pre id="command-lines"><code><bdi>(.*?)</bdi>', page, re.DOTALL)
    assert command
    assert command[1].endswith(
        "cd /srv/media &amp;&amp;\nLEVEL=info /bin/encode -i &#34;$input_file&#34; &#39;100 %&#39;"
    )
    assert page.index("command-lines") < page.index("<aside") < page.index('id="messages"')


def test_the_meaning_of_a_field_is_shown_once(site: Path) -> None:
    page = page_of(site, "process_definition/audio/encode")
    assert page.count("The input message as text.") == 1
    assert page.count("<bdi>input_text</bdi>") == 2
    assert "<code><bdi>100 %s</bdi></code>" in page
    assert page.count("Absolute path of the folder in which the process starts.") == 1
    assert page.count("Media types of the messages, most common first.") == 1


def test_the_flow_of_messages_is_drawn_with_a_text_alternative(site: Path) -> None:
    page = page_of(site, "process_definition/audio/encode")
    assert (
        '<title id="flow-text">Input: file, ${input_file}. Process: /bin/encode, single. '
        "Output: file, standard output.</title>"
    ) in page
    assert ">standard output</text>" in page
    assert "<svg" not in page_of(site, "application/tools")
    new = page_of(site, "process_definition/audio/new")
    assert "Input: default, standard input." in new
    assert "No adapters: messages arrive on standard input" in new


def test_a_hostile_value_stays_text(site: Path) -> None:
    page = page_of(site, "process_definition/hostile")
    assert "<script>alert" not in page
    assert "&lt;/title&gt;&lt;script&gt;" in page


def test_what_replaces_and_what_uses_it_are_told_apart(site: Path) -> None:
    old = page_of(site, "process_definition/audio/encode")
    assert re.search(r'<dt>Replaced by</dt><dd><a href="../../../process_definition/audio/new/">', old)
    new = page_of(site, "process_definition/audio/new")
    assert 'id="replaces"' in new
    assert 'id="used-by"' not in new
    tools = page_of(site, "application/tools")
    assert 'id="used-by"' in tools
    assert 'id="replaces"' not in tools


def test_links_lead_to_the_forge(site: Path) -> None:
    page = page_of(site, "process_definition/audio/encode")
    file = "main/definitions/process_definition/audio/encode.yaml"
    for form in ("blob", "edit", "blame"):
        assert f'href="https://github.com/o/r/{form}/{file}"' in page
    assert re.search(r'href="https://github.com/o/r/commit/[0-9a-f]{40}"><code>[0-9a-f]{10}</code>', page)


def test_lines_for_programs_have_the_address_of_the_site(site: Path) -> None:
    page = page_of(site, "process_definition/audio/encode")
    assert "curl -fsS https://registry.example.org/sub/api/process_definition/1.json<" in page
    assert "RegistryClient(&#34;https://registry.example.org/sub/&#34;)" in page
    assert "registry.get(1)" in page
    assert "registry.get(1, &#34;application&#34;)" in page_of(site, "application/tools")
    assert "RegistryClient" not in page_of(site, "process_definition/pending")


def test_each_expectation_of_an_example_is_shown_with_its_meaning(site: Path) -> None:
    page = page_of(site, "process_definition/audio/encode")
    examples = page.partition('id="examples"')[2].partition("<h2")[0]
    assert "&lt;total&gt; 5 %" in examples
    shown = re.sub(r"<[^>]+>", " ", examples)
    assert re.search(r"output_size .* min\s+1 .* max\s+20000 ", shown, re.DOTALL)
    assert "Text that the output message must contain" in shown
    assert "The largest accepted size in bytes." in shown
