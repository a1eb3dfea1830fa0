"""Terms: folding, words, pairs of characters, shards, and one typing error."""

import itertools
import random

import pytest

from registry.render.search.terms import (
    ending_of,
    fold,
    is_one_edit_away,
    may_be_misspelled,
    misspelled_endings,
    query_terms,
    shard_of,
    terms_of,
)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Quality of qc-packets", ["quality", "of", "qc", "packets"]),
        ("Éclair Straße ŁÓDŹ Ångström", ["eclair", "strasse", "lodz", "angstrom"]),
        ("ＡＢＣ ﬁle Σίσυφος", ["abc", "file", "σισυφοσ"]),
        ("氣象衛星", ["氣象", "象衛", "衛星", "星"]),
        ("GPS衛星2号機", ["gps", "衛星", "星", "2", "号機", "機"]),
        ("한국어 データ", ["한국", "국어", "어", "デー", "ータ", "タ"]),
        ("हिन्दी", ["हिन्दी"]),
        ("a/b_c.d:e <b>&amp;", ["a", "b", "c", "d", "e", "b", "amp"]),
        ("", []),
    ],
)
def test_a_text_has_these_terms(text: str, terms: list[str]) -> None:
    assert terms_of(text) == terms


def test_a_query_asks_for_whole_pairs_and_each_term_once() -> None:
    assert query_terms("氣象衛星 Qc qc 星") == ["氣象", "象衛", "衛星", "qc", "星"]
    assert query_terms(" -- ") == []


def test_equal_texts_in_other_forms_fold_alike() -> None:
    assert fold("e\u0301COLE") == fold("\u00e9cole") == "ecole"
    assert fold("が") == fold("か\u3099") == "が"


def test_one_edit_is_one_character_inserted_removed_replaced_or_swapped() -> None:
    letters = "abc"
    words = ["".join(one) for length in range(1, 5) for one in itertools.product(letters, repeat=length)]
    for word in random.Random(3).sample(words, 40):
        near = {word[:i] + word[i + 1 :] for i in range(len(word))}
        near |= {word[:i] + c + word[i:] for i in range(len(word) + 1) for c in letters}
        near |= {word[:i] + c + word[i + 1 :] for i in range(len(word)) for c in letters}
        near |= {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
        assert {one for one in words if is_one_edit_away(word, one)} == (near & set(words)) - {word}


def test_each_word_one_edit_away_is_in_the_shard_of_the_word_or_in_an_ending() -> None:
    words = ["".join(one) for length in (4, 5) for one in itertools.product("abc", repeat=length)]
    for word in words:
        near = [one for one in words if may_be_misspelled(one) and is_one_edit_away(word, one)]
        elsewhere = [one for one in near if shard_of(one) != shard_of(word)]
        assert all(ending_of(one) in misspelled_endings(word) for one in elsewhere)


def test_the_name_of_a_shard_is_safe_on_every_file_system() -> None:
    assert [shard_of(term) for term in ("weather", "c", "4711", "衛星", "σι", "xσ", "\U0002070e")] == [
        "we", "c", "4", "_88", "_3", "_3", "_207",
    ]  # fmt: skip
