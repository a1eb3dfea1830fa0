"""The setting `exports`: each definition in other formats on the site, on its page, and on a live server."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from registry.cache.build_cache import BuildCache
from registry.cli import main
from registry.exchange import procfile
from registry.exchange.exporter import Exportable, ExportedText, NotExportableError
from registry.exchange.fields import Carried
from registry.exchange.formats import exporters
from registry.load.settings import settings_schema
from registry.load.source import open_source
from registry.model.http_headers import headers_of
from registry.pipeline import build, snapshot_of
from registry.server.live import LiveRegistry, PageCache, SnapshotPages
from registry.site import Site
from tests.conftest import Run
from tests.site.test_incremental import tree
from tests.support.repo import RepoBuilder

PAGE = "process_definition/weather/qc/index.html"
FILE = "process_definition/weather/qc/_exports/procfile/Procfile"
WRAPPER = "_exports/registry-run"
APPLICATION = """title: A
owners: [t]
container_image: {}
definition:
  mappings: {{hotel: {{iaas_image: image, iaas_allocation: small}}}}
"""


def image(one: Exportable) -> ExportedText:
    """Write the image of the application, and refuse the argument `never`."""
    if "never" in one.inside.get("argv", ()):
        raise NotExportableError("/definition/argv/0", "this format cannot write `never`")
    found = str((one.application or {}).get("container_image", "none"))
    return ExportedText(f"image: {found}\n", needs_wrapper="input_adapter" in one.inside)


def use_format_with_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the format `procfile` by one with an application, a wrapper and a refusal."""
    table = {
        **procfile.EXPORTER.table,
        "application": Carried("image"),
        "files": Carried("x", by_wrapper=True),
    }
    monkeypatch.setattr(
        procfile, "EXPORTER", replace(procfile.EXPORTER, table=table, export=image, join=None)
    )


@pytest.fixture
def registry(repo: RepoBuilder) -> RepoBuilder:
    repo.write("registry.yaml", "registry_id: registry-1\nexports: [procfile]\n")
    repo.define("app", APPLICATION.format("example.org/one:1"), "application")
    repo.define(
        "weather/qc",
        "title: QC\nowners: [t]\ntags: [b]\ndefinition: {exec: /bin/qc, argv: ['a b', '<i>'], application: app}\n",
    )
    repo.define("other")
    repo.commit("add")
    assert main(["index", "-C", str(repo.root)]) == 0
    return repo


def build_site(repo: RepoBuilder, name: str = "site", *, from_nothing: bool = False) -> Path:
    site = repo.root.parent / name
    assert build(open_source(repo.root), Site(site), from_nothing=from_nothing).files
    return site


def test_the_setting_has_the_formats_that_can_be_exported() -> None:
    schema = json.loads(settings_schema())["properties"]["exports"]
    assert schema["items"]["enum"] == [one.name for one in exporters()], "`make accept` writes them"


def test_a_site_without_the_setting_has_no_exports(registry: RepoBuilder) -> None:
    registry.write("registry.yaml", "registry_id: registry-1\n")
    site = build_site(registry)
    assert not any("_exports" in path for path in tree(site))
    assert "Exports" not in (site / PAGE).read_text()


def test_the_page_shows_the_file_and_what_it_lost(registry: RepoBuilder, run: Run) -> None:
    site = build_site(registry)
    exported = run("export", "-C", str(registry.root), "weather/qc", "--to", "procfile").out
    text = (site / FILE).read_text()
    assert text == exported and "'a b' '<i>'" in text
    page = (site / PAGE).read_text()
    part = page.partition('<h2 id="exports">')[2].partition("</section>")[0]
    assert f'href="../../../{FILE}"' in part
    shown = re.search(r'<pre id="export-procfile"><code><bdi>(.*?)</bdi></code></pre>', part, re.DOTALL)
    assert shown is not None and unescape(shown[1]) == text
    assert 'data-copy="#export-procfile"' in part
    lost = dict(re.findall(r"<li> (.+): <bdi>(.+?)</bdi></li>", part))
    fields = {why: re.findall(r"<code><bdi>(.+?)</bdi></code>", some) for some, why in lost.items()}
    assert fields["a Procfile has names and commands only"] == ["/owners", "/tags"]
    assert f"{sum(map(len, fields.values()))} values lost" in part
    assert WRAPPER not in part, "the definition does not need it"
    application = (site / "application/app/index.html").read_text()
    assert 'id="exports"' not in application


def test_a_refused_definition_shows_why(registry: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    use_format_with_images(monkeypatch)
    registry.define("weather/qc", "title: QC\nowners: [t]\ndefinition: {exec: /bin/qc, argv: [never]}\n")
    site = build_site(registry)
    part = (site / PAGE).read_text().partition('<h2 id="exports">')[2].partition("</section>")[0]
    assert "/definition/argv/0" in part and "this format cannot write `never`" in part
    assert "refused" in part and "<pre" not in part and not (site / FILE).exists()


def test_the_wrapper_is_one_file_that_pages_link_to(
    registry: RepoBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_format_with_images(monkeypatch)
    adapter = "{input_type: file, input_params: {file_type: stream, stream_name: STDIN}}"
    registry.define("w", f"title: W\nowners: [t]\ndefinition: {{exec: /bin/w, input_adapter: {adapter}}}\n")
    site = build_site(registry)
    assert (site / WRAPPER).read_bytes().startswith(b"#!/bin/sh")
    assert f'href="../../{WRAPPER}"' in (site / "process_definition/w/index.html").read_text()
    assert WRAPPER not in (site / PAGE).read_text()


def test_incremental_builds_equal_full_ones(registry: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    use_format_with_images(monkeypatch)
    site = build_site(registry)
    before = tree(site)
    assert before[FILE] == b"image: example.org/one:1\n"
    registry.define("app", APPLICATION.format("example.org/two:2"), "application")
    registry.commit("another image")
    build_site(registry)
    assert tree(site) == tree(build_site(registry, "full", from_nothing=True))
    assert tree(site)[FILE] == b"image: example.org/two:2\n"
    registry.write("registry.yaml", "registry_id: registry-1\n")
    build_site(registry)
    assert tree(site) == tree(build_site(registry, "full", from_nothing=True))
    assert not any("_exports" in path for path in tree(site))


def test_a_live_server_has_the_same_files(registry: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    use_format_with_images(monkeypatch)
    site = tree(build_site(registry))
    paths = [path for path, data in site.items() if "_exports/" in path and data != b"/"]
    assert {FILE, WRAPPER} <= set(paths)
    snapshot, _ = snapshot_of(open_source(registry.root))
    assert snapshot is not None
    pages = SnapshotPages(snapshot.persistent(), PageCache())
    live = LiveRegistry(registry.root, BuildCache(), lambda _: None)
    live.reload()
    for path in [*paths, PAGE]:
        assert pages.get(path) == live.state.pages.get(path) == site[path], path
    assert pages.get(f"{FILE}x") is live.state.pages.get(f"{FILE}x") is None
    registry.define("app", APPLICATION.format("example.org/two:2"), "application")
    live.update()
    assert live.state.pages.get(FILE) == b"image: example.org/two:2\n"


def test_browsers_show_exports_as_text() -> None:
    for path in ("process_definition/a/_exports/systemd/a.service", FILE, WRAPPER):
        assert headers_of(path)["Content-Type"] == "text/plain; charset=utf-8"
    assert headers_of("_folders/exports/index.html")["Content-Type"] == "text/html; charset=utf-8"
