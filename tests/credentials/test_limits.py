"""Values at the limits of what counts as a random text, a token or a placeholder."""

import pytest

from registry.credentials import credential_in


@pytest.mark.parametrize(
    "value",
    [
        "0123456789abcdef0123456789abcdef",  # 4 bits a character
        "012345678" * 3 + "01234",  # 9 different digits: just over 3 bits
        "aaB1bbC2ccD3eeF4ggH5",  # three kinds of characters, changing at three of four places
        "Xq7-Zr2-Lm9-Wk4-Tp8-Vb3",
    ],
)
def test_a_long_random_value_is_found(value: str) -> None:
    assert credential_in("x", value) is not None
    assert credential_in("x", value, may_be_random=False) is None


@pytest.mark.parametrize(
    "value",
    [
        "01234567" * 4,  # 3 bits a character, and no more
        "0123456789abcdef0123456789abcde",  # 31 digits
        "a1b2c3d4e5f6g7h8i9j0",  # two kinds of characters
        "abcABC123defDEF456ghi",  # three kinds, changing at less than 0.4 of the places
        "aB1aB1aB1aB1aB1aB1aB1",  # three different characters: few bits
        "aaB1bbC2ccD3eeF4ggH",  # 19 characters
        "00000000-1111-2222-3333-444444444444",
        "/aB1/cD2/eF3/gH4/iJ5",
    ],
)
def test_a_regular_value_is_not(value: str) -> None:
    assert credential_in("x", value) is None


@pytest.mark.parametrize(
    ("user", "is_found"),
    [
        ("a1b2c3d4e5f6", True),
        ("a1b2c3d4e5f", False),
        ("deployment2024", False),
        ("app-2024-runner-v2", False),
    ],
)
def test_a_user_of_an_address_is_a_token_from_twelve_mixed_characters_on(user: str, is_found: bool) -> None:
    assert (credential_in("x", f"https://{user}@example.org/") is not None) is is_found


def test_a_digest_is_no_credential_where_the_name_says_so() -> None:
    value = "0123456789abcdef0123456789abcdef"
    assert credential_in("sha256", value) is None
    assert credential_in("anything", value) is not None
