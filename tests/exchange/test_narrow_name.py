"""Names of definitions in formats that allow fewer characters."""

import re

from hypothesis import given
from hypothesis import strategies as st

from registry.exchange.narrow_name import narrow_name

STEP = st.from_regex(r"[a-zA-Z0-9é天][a-zA-Z0-9é天._+-]{0,40}", fullmatch=True)
NAME = st.lists(STEP, min_size=1, max_size=4).map("/".join)
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def kubernetes_name(name: str) -> str:
    return narrow_name(name, signs="-", is_lower=True, longest=63)


@given(NAME)
def test_a_name_follows_the_rules_of_the_format(name: str) -> None:
    assert DNS_LABEL.fullmatch(kubernetes_name(name))
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,20}", narrow_name(name, signs="_-", longest=20))


@given(NAME, NAME)
def test_only_names_that_differ_in_a_slash_are_the_same(name: str, other: str) -> None:
    if name.replace("/", "-") != other.replace("/", "-"):
        assert kubernetes_name(name) != kubernetes_name(other)


def test_names_stay_readable() -> None:
    assert kubernetes_name("weather/qc-packets") == "weather-qc-packets"
    assert re.fullmatch(r"weather-qc-packets-[0-9a-f]{8}", kubernetes_name("Weather/QC_packets"))
    assert re.fullmatch(r"process-[0-9a-f]{8}", kubernetes_name("天气"))
    assert re.fullmatch(r"a-b-[0-9a-f]{8}", kubernetes_name("a/b-"))
    assert narrow_name("a_b/C", signs="_-", longest=63) == "a_b-C"
