"""The ranking finds what a straightforward search of all definitions finds, in the same order."""

import random
from pathlib import Path

import pytest

from registry.load.source import open_source
from registry.pipeline import build, snapshot_of
from registry.render.search import SearchIndex, search_index
from registry.render.search.ranking import ranked
from registry.render.search.terms import is_one_edit_away, may_be_misspelled, query_terms, terms_of
from registry.site import Site
from tests.support.repo import RepoBuilder

WORDS = [
    "wind",
    "window",
    "rain",
    "radar",
    "station",
    "stations",
    "quality",
    "mean",
    "team",
    "氣象",
    "衛星",
    "Éclair",
]


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    repo = RepoBuilder(tmp_path_factory.mktemp("ranking") / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\n")
    chance = random.Random(7)
    lines = []
    for number in range(1, 131):
        title, description = (" ".join(chance.sample(WORDS, 3)) for _ in range(2))
        tag = chance.choice(["wind", "radar", "mean"])
        identity = f"id: {number}\n" if number < 126 else ""
        repo.define(
            f"{chance.choice(['rain', 'station'])}/p{number}",
            f"{identity}title: {title}\ndescription: {description}\nowners: [o]\ntags: [{tag}]\n"
            "definition: {exec: /bin/x, input_adapter: {input_type: none}}\n",
        )
        lines.append(number)
    repo.commit("start")
    return repo


@pytest.fixture(scope="module")
def index(repo: RepoBuilder) -> SearchIndex:
    snapshot, _ = snapshot_of(open_source(repo.root))
    assert snapshot is not None
    return search_index(snapshot)


def test_every_query_finds_the_same_in_the_same_order(repo: RepoBuilder, index: SearchIndex) -> None:
    snapshot, _ = snapshot_of(open_source(repo.root))
    assert snapshot is not None
    listed = sorted(
        (one for kind in snapshot.by_kind.values() for one in kind),
        key=lambda one: (one.id is None, one.id or 0, one.name),
    )
    texts = [
        [
            set(terms_of(text))
            for text in (
                one.summary.title,
                one.name,
                " ".join(one.summary.tags),
                f"{one.summary.description} /bin/x {one.id or ''} o none",
            )
        ]
        for one in listed
    ]
    everything = {term for ranks in texts for terms in ranks for term in terms}

    def finds(word: str) -> dict[str, int]:
        exact = {
            term: 2 if term == word else 1
            for term in everything
            if term == word or (term.startswith(word) and (len(word) > 1 or not word.isascii()))
        }
        if exact or not may_be_misspelled(word):
            return exact
        near = {term for term in everything if may_be_misspelled(term) and is_one_edit_away(word, term)}
        same = {term for term in near if term[:2] == word[:2]}
        return dict.fromkeys(same or near, 0)

    def expected(query: str) -> list[str]:
        words = [finds(word) for word in query_terms(query)]
        found = []
        for one, ranks in zip(listed, texts, strict=True):
            points = [
                max(
                    (
                        4 * (4 - rank) + found[term]
                        for rank, terms in enumerate(ranks)
                        for term in terms
                        if term in found
                    ),
                    default=0,
                )
                for found in words
            ]
            if points and all(points):
                found.append((-sum(points), one.name))
        return [name for _, name in sorted(found, key=lambda item: item[0])]

    names = {number: listed[place].name for place, number in enumerate(sorted(index_numbers(index)))}
    chance = random.Random(8)
    queries = [" ".join(chance.sample(WORDS, chance.randint(1, 3))) for _ in range(40)]
    queries += [
        "w",
        "wi",
        "p1",
        "p130",
        "rian",
        "iwnd",
        "statoin",
        "xtation",
        "quality wnid",
        "衛",
        "星",
        "eclair",
        "氣象衛星",
        "--",
        "12",
        "absent",
    ]
    for query in queries:
        assert [names[number] for number in ranked(index, query)] == expected(query), query


def index_numbers(index: SearchIndex) -> list[int]:
    return [number for numbers in index.facet("kind").values() for number in numbers]


def test_a_changed_title_changes_only_the_files_with_its_words(repo: RepoBuilder, tmp_path: Path) -> None:
    copy = repo.copied_to(tmp_path / "repo")
    site = Site(tmp_path / "site")

    def index_files() -> dict[str, bytes]:
        build(open_source(copy.root), site)
        folder = (tmp_path / "site/_search").resolve()
        return {
            str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }

    before = index_files()
    path = next(copy.root.glob("definitions/process_definition/*/p7.yaml"))
    text = path.read_text()
    title = text.splitlines()[1]
    path.write_text(text.replace(title, f"{title} brandnew"))
    after = index_files()
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert changed == {"rows.json", "terms/br.json", "endings/ew.json", "index.html"}
    path.write_text(text.replace(title, f"{title} rainy"))
    last = index_files()
    assert {name for name in {*after, *last} if after.get(name) != last.get(name)} == {
        "rows.json", "terms/br.json", "endings/ew.json", "index.html", "terms/ra.json", "endings/ny.json",
    }  # fmt: skip
