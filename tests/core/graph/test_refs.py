"""Names and ids, and marks as vectors."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyrochat.core.graph.refs import Refs

LOGS = st.lists(st.sampled_from("abc"), max_size=30)


def refs_of(sites: list[str]) -> tuple[Refs, dict[int, tuple[str, int]]]:
    """Of a log whose messages are of these *sites*."""
    names, counts, refs = {}, dict[str, int](), Refs()
    for id, site in enumerate(sites, 1):
        counts[site] = counts.get(site, 0) + 1
        names[id] = (site, counts[site])
        refs.add([(*names[id], id)])
    return refs, names


@given(LOGS)
def test_each_message_has_the_name_that_it_is_found_by(sites: list[str]) -> None:
    refs, names = refs_of(sites)
    assert {id: refs.name_of(id) for id in names} == names
    assert all(refs.id_of(name) == id for id, name in names.items())
    assert refs.name_of(0) is refs.name_of(len(sites) + 1) is None
    assert refs.id_of(("a", 0)) == refs.id_of(("a", 99)) == refs.id_of(("nobody", 1)) == 0


@given(LOGS, st.integers(0, 30))
def test_a_vector_says_what_stands_up_to_an_id_and_is_that_mark_again(sites: list[str], id: int) -> None:
    refs, names = refs_of(sites)
    id = min(id, len(sites))
    vector = refs.vector(id)
    assert all((vector.get(site, 0) >= number) == (at <= id) for at, (site, number) in names.items())
    assert refs.covered(vector) == id


@given(st.permutations(["a", "a", "b", "b", "c"]), st.permutations(["a", "a", "b", "b", "c"]), st.integers(0, 5))
def test_in_another_order_a_mark_never_says_more_than_was_read(one: list[str], other: list[str], id: int) -> None:
    vector = refs_of(one)[0].vector(id)
    refs, names = refs_of(other)
    covered = refs.covered(vector)
    assert all(vector.get(names[at][0], 0) >= names[at][1] for at in range(1, covered + 1))
    assert covered == len(other) or vector.get(names[covered + 1][0], 0) < names[covered + 1][1]


def test_a_message_that_came_in_at_two_sites_has_two_names() -> None:
    refs = Refs()
    refs.add([("a", 1, 1), ("b", 1, 2), ("b", 2, 1), ("b", 3, 3), ("c", 1, 0)])
    assert refs.id_of(("b", 2)) == refs.id_of(("a", 1)) == 1
    assert refs.name_of(1) == ("a", 1)
    assert refs.id_of(("b", 3)) == 3
    assert refs.id_of(("c", 1)) == 0


def test_what_a_forked_site_says_twice_counts_once() -> None:
    refs = Refs()
    refs.add([("a", 1, 1), ("a", 2, 2), ("a", 2, 3)])
    assert refs.id_of(("a", 2)) == 2
