"""What the next generation is made from, decided without a disk."""

from registry.site.plan import Base, Generation, plan_generation

WANTED = {f"t{number}": f"new {number}" for number in range(300)}


def generation(slot: int, **changed: str) -> Generation:
    return Generation(slot, f"{slot:06d}", 300, WANTED | changed)


def test_without_a_usable_generation_everything_is_made() -> None:
    found = plan_generation([], None, ["000001"], WANTED)
    assert (found.base, found.start, found.make) == (Base.SCRATCH, None, frozenset(WANTED))


def test_the_second_generation_starts_from_a_copy_of_the_first() -> None:
    first = generation(1, t3="old", gone="old")
    found = plan_generation([first], first, [first.folder], WANTED)
    assert (found.base, found.start) == (Base.COPY, first)
    assert found.make == {"t3"}
    assert found.remove == {"gone"}
    assert not found.link


def test_a_copy_of_which_little_would_stay_is_not_made() -> None:
    other = Generation(1, "000001", 300, dict.fromkeys(WANTED, "other"))
    assert plan_generation([other], other, [other.folder], WANTED).base is Base.SCRATCH


def test_from_the_third_on_the_oldest_is_used_again() -> None:
    generations = [generation(1, t1="old"), generation(2, t2="old"), generation(3)]
    found = plan_generation(generations, generations[-1], [one.folder for one in generations], WANTED)
    assert (found.base, found.start) == (Base.OLDEST, generations[0])
    assert found.make == {"t1"}


def test_many_targets_that_the_latest_generation_has_are_linked() -> None:
    oldest = Generation(1, "000001", 300, dict.fromkeys(WANTED, "other"))
    generations = [oldest, generation(2), generation(3, t7="old")]
    found = plan_generation(generations, generations[-1], [one.folder for one in generations], WANTED)
    assert found.base is Base.OLDEST
    assert found.make == frozenset(WANTED)
    assert found.link == frozenset(WANTED) - {"t7"}


def test_an_unusable_oldest_generation_is_not_started_from() -> None:
    second, third = generation(2), generation(3, t1="old")
    found = plan_generation([second, third], third, ["000001", second.folder, third.folder], WANTED)
    assert (found.base, found.start) == (Base.COPY, third)
