"""A site with every type of page and with values of every form, for tests of the pages and for `make screenshots`."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple
from urllib.parse import quote

from registry.cli import main
from registry.exchange.formats import exporters
from registry.load.yaml.writer import to_yaml
from tests.support.repo import RepoBuilder
from tests.support.served import get, served

PROJECT = Path(__file__).parents[2]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
THEMES = ("light", "dark")

RTL = "\u0627\u0644\u0639\u0646\u0648\u0627\u0646 (12) \u05e9\u05dc\u05d5\u05dd"
CJK = "気象データの品質検査と補正処理を行う工程"
HOSTILE = "<script>alert(1)</script> &amp; \"'`{{ 7*7 }} \U0001f468 e\u0301"
TURNED = "\u202eturned\u2066 zero\u200bwidth"
WORD = "averylongwordwithoutanybreak" * 4
WORDS = "many words of an ordinary length " * 3
LONG_TEXT = f"{WORDS}\n\n- item **bold** `code` {WORD}\n- [link](https://example.org/{WORD})\n\n" * 4
SHELL = "$(rm -rf /) `id` ; & | > < * ? ~ ! # \\ 'quoted' \"double\""


class PageType(NamedTuple):
    """One type of page: `site` is the folder of the demonstration that has it (`site`, `preview`, `live`)."""

    name: str
    site: str
    path: str
    waits_for: str = "main h1"
    """A selector of what a script may add after the page was loaded."""


def _process(name: str) -> str:
    return f"process_definition/{name}/"


# Each type of page once, and the page of a definition with values of each form.
PAGE_TYPES = (
    PageType("home", "site", ""),
    PageType("list", "site", "process_definition/"),
    PageType("list-of-applications", "site", "application/"),
    PageType("definition", "site", _process("audio/encode-mp3")),
    PageType("definition-of-an-application", "site", "application/weather-qc/"),
    PageType("definition-with-hostile-text", "site", _process("odd/hostile")),
    PageType("definition-with-long-text", "site", _process("odd/long")),
    PageType("definition-with-nothing", "site", _process("odd/empty")),
    PageType("definition-from-right-to-left", "site", _process("odd/rtl")),
    PageType("definition-in-chinese-characters", "site", _process("odd/品質検査")),
    PageType("definition-deprecated", "site", _process("photos/stream-sepia")),
    PageType("definition-deleted", "site", _process("odd/deleted")),
    PageType("definition-renamed", "site", _process("odd/renamed")),
    PageType("moved", "site", _process("odd/old-name")),
    PageType("list-by-id", "site", "process_definition/_by-id/"),
    PageType("folders", "site", "_folders/"),
    PageType("folder", "site", "_folders/odd/"),
    PageType("owners", "site", "_owners/"),
    PageType("owner", "site", "_owners/team/"),
    PageType("tags", "site", "_tags/"),
    PageType("tag", "site", "_tags/a/"),
    PageType("adapters", "site", "_adapters/"),
    PageType("adapter", "site", "_adapters/_example-x-fb00a5600005/"),
    PageType("lifecycles", "site", "_lifecycles/"),
    PageType("lifecycle", "site", "_lifecycles/deprecated/"),
    PageType("deleted", "site", "_deleted/"),
    PageType("recent", "site", "_recent/"),
    PageType("search", "site", "_search/?q=team", ".results li"),
    PageType("history", "site", _process("odd/hostile") + "_history/"),
    PageType("history-long", "site", _process("odd/often") + "_history/", ".compare table"),
    PageType("history-older", "site", _process("odd/often") + "_history/1-50/"),
    PageType("revision", "site", _process("odd/hostile") + "_revisions/2/"),
    PageType("changes", "site", "_changes/"),
    PageType("api", "site", "_api/"),
    PageType("not-found", "site", "no/such/page/"),
    PageType("preview", "preview", _process("odd/hostile")),
    PageType("preview-changes", "preview", "_changes/"),
    PageType("live-problems", "live", _process("odd/often"), "#registry-problems article"),
)


def odd_definition(text: str, long: str, title: str = "") -> str:
    """A definition with a text in every field that takes any text, as YAML."""
    short = text[:100]
    return to_yaml(
        {
            "title": (title or text)[:100],
            "description": long,
            "owners": [short, "team"],
            "tags": ["a", "b" * 60, "c++"],
            "links": [{"href": "https://example.org/?a=1&b=%22", "title": short}],
            "interface": {
                "input": {"description": text, "media_types": ["text/plain"], "schema": {"title": text}},
                "output": {"description": text, "schema": True},
            },
            "examples": [{"title": short, "input_text": text, "output_text": text, "exit_code": 3}],
            "definition": {
                "exec": f"/opt/{short}",
                "application": "weather-qc",
                "process_type": "single",
                "cwd": f"/srv/{short}",
                "timeout": 12.5,
                "environment": {"VALUE": text, f"x{short}".replace("=", ""): ""},
                "argv": [text, "", SHELL, "--option", "two\nlines"],
                "input_adapter": {
                    "input_type": "example/x",
                    "input_params": {"deep": {"deeper": [{"deepest": [1, None, {"more": text}]}]}, text: []},
                },
            },
        }
    )


def demonstration_repo(root: Path) -> RepoBuilder:
    """This repository's own definitions with odd ones, renamed, deleted and changed often."""
    repo = RepoBuilder(root)
    for folder in ("definitions", "samples", "schema"):
        shutil.copytree(PROJECT / folder, root / folder)
    repo.write(
        "registry.yaml",
        "title: Process Registry\ndescription: Every form of *value* on every page.\nregistry_id: 8d7c3f52-6a1e-4f0b-9b57-2f4c1de0a7e3\n"
        f"exports: [{', '.join(one.name for one in exporters())}]\n"
        "layout: full\nrepo_url: https://github.com/example/definitions\nbase_url: https://registry.example.org/site/\n",
    )
    repo.commit("Add the processes of all teams")
    repo.define("odd/hostile", odd_definition(HOSTILE, f"{HOSTILE} {TURNED}", f"{TURNED} {HOSTILE}"))
    repo.define("odd/long", odd_definition(f"{WORD} {WORDS}", LONG_TEXT))
    repo.define("odd/rtl", odd_definition(RTL, f"{RTL}\n\n- {RTL}\n"))
    repo.define("odd/品質検査", odd_definition(CJK, CJK * 20))
    repo.define("odd/empty", "definition: {exec: x}\n")
    for name in ("often", "deleted", "old-name"):
        repo.define(f"odd/{name}")
    repo.commit(f"Add odd ones {RTL}")
    index(repo)
    for number in range(60):
        path = repo.root / "definitions/process_definition/odd/often.yaml"
        text = path.read_text().partition("  argv:")[0]
        path.write_text(f"{text}  argv: [--step, '{number}', '{RTL if number % 7 == 0 else 'plain'}']\n")
        repo.commit(f"Step {number}: {HOSTILE if number % 5 == 0 else 'another argument'}")
    odd = repo.root / "definitions/process_definition/odd"
    (odd / "deleted.yaml").unlink()
    (odd / "old-name.yaml").rename(odd / "renamed.yaml")
    change(repo, "odd/hostile", "timeout: 12.5", "timeout: 13")
    repo.commit(f"Rename, delete and change {WORD}")
    index(repo)
    repo.git("checkout", "-q", "-b", "proposal")
    change(repo, "odd/hostile", "VALUE: ", "OTHER: changed\n    VALUE: ")
    change(repo, "odd/rtl", "  application: weather-qc\n", "")
    repo.define("odd/proposed", odd_definition(CJK, WORDS))
    repo.commit("Change two, add one")
    repo.git("checkout", "-q", "main")
    return repo


def index(repo: RepoBuilder) -> None:
    """Assign ids."""
    assert main(["index", "-C", str(repo.root)]) == 0


def change(repo: RepoBuilder, name: str, old: str, new: str) -> None:
    """Replace a text in a definition."""
    path = repo.root / f"definitions/process_definition/{name}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


class Demonstration(NamedTuple):
    """The repository, its two built sites, and the address of each site."""

    repo: RepoBuilder
    folders: dict[str, Path]
    addresses: dict[str, str]

    def address(self, page: PageType) -> str:
        """The address of a page."""
        return self.addresses[page.site] + quote(page.path, safe="/?=&")


class _Handler(SimpleHTTPRequestHandler):
    """A static host: unknown addresses get the page 404.html of their site."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        site = Path(self.directory) / self.path.lstrip("/").partition("/")[0] / "404.html"
        if code != 404 or not site.is_file():
            super().send_error(code, message, explain)
            return
        body = site.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print nothing."""


@contextmanager
def demonstration(folder: Path) -> Iterator[Demonstration]:
    """Build and serve everything below a folder; the live server shows a mistake in a file."""
    repo = demonstration_repo(folder / "repo")
    host = folder / "host"
    host.mkdir()
    assert main(["build", "-C", str(repo.root), "--out", str(host / "site")]) == 0
    live = repo.copied_to(folder / "live" / "repo")
    repo.git("checkout", "-q", "proposal")
    options = ["--preview", "pull request 12", "--base", "main", "--out", str(host / "preview")]
    assert main(["build", "-C", str(repo.root), *options]) == 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(host)))
    Thread(target=server.serve_forever, daemon=True).start()
    top = f"http://127.0.0.1:{server.server_port}"
    try:
        with served(live.root) as (address, _):
            assert get(f"{address}/site/")
            change(live, "odd/often", "exec:", f"exce: [{WORD!r}]\n  exec:")
            change(live, "audio/encode-mp3", "title: Encode", "titel: Encode")
            yield Demonstration(
                repo,
                {"site": host / "site", "preview": host / "preview"},
                {"site": f"{top}/site/", "preview": f"{top}/preview/", "live": f"{address}/site/"},
            )
    finally:
        server.shutdown()
        server.server_close()
