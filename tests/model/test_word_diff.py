"""Changed words of two texts: the parts always add up to the texts, and long texts cost little."""

from hypothesis import given
from hypothesis import strategies as st

from registry.model.word_diff import Part, common_ends, word_diff

WORDS = st.lists(st.sampled_from(["alpha", "beta", " ", "  ", ",", "-", "1", "\n", "é"]), max_size=30).map(
    "".join
)


def test_changed_words_are_marked_and_the_others_are_not() -> None:
    found = word_diff('["-i", "in.txt", "--level", "3"]', '["-i", "in.txt", "--level", "4", "-v"]')
    assert found is not None
    assert found.old == (Part('["-i", "in.txt", "--level", "', False), Part("3", True), Part('"]', False))
    assert "".join(part.text for part in found.new if part.is_changed) in ('4", "-v', '", "-v4', '4", "-v')


def test_spaces_between_changed_words_are_changed_too() -> None:
    found = word_diff("Reads all old files at once.", "Reads all new packets at once.")
    assert found is not None
    assert [part.text for part in found.old if part.is_changed] == ["old files"]
    assert [part.text for part in found.new if part.is_changed] == ["new packets"]


def test_texts_with_little_in_common_have_no_parts() -> None:
    assert word_diff("/bin/encode", "completely different words") is None
    assert word_diff("", "new") is None


@given(old=WORDS, new=WORDS)
def test_the_parts_add_up_to_the_texts(old: str, new: str) -> None:
    found = word_diff(old, new)
    if found is not None:
        assert "".join(part.text for part in found.old) == old
        assert "".join(part.text for part in found.new) == new
        unchanged = ["".join(part.text for part in side if not part.is_changed) for side in found]
        assert unchanged[0] == unchanged[1]


def test_long_texts_are_compared_by_their_common_start_and_end_only() -> None:
    old = "start " + " ".join(f"a{number}" for number in range(1_500)) + " end" * 600
    new = "start " + " ".join(f"b{number}" for number in range(1_500)) + " end" * 600
    found = word_diff(old, new)
    assert found is None or len(found.old) <= 3
    assert word_diff("x " * 5_000, "y " * 5_000) is None


def test_common_ends_do_not_split_words() -> None:
    assert common_ends("level 30 fast", "level 35 fast") == (6, 5)
    assert common_ends("/bin/encode", "/opt/bin/encode") == (1, 10)
    assert common_ends("abc", "abd") == (0, 0)
    assert common_ends("a a", "a a a") == (3, 0)


@given(old=WORDS, new=WORDS)
def test_common_ends_are_common_and_do_not_overlap(old: str, new: str) -> None:
    start, end = common_ends(old, new)
    assert old[:start] == new[:start]
    assert old[len(old) - end :] == new[len(new) - end :]
    assert start + end <= min(len(old), len(new))
