"""The graph of what is made from what."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from dqmon.core.lineage import Lineage

names = st.sampled_from("abcdef")
graphs = st.dictionaries(names, st.frozensets(names, max_size=3), max_size=6)


def reaches(parents, start):
    """All that can be reached in one or more steps, by repeating until nothing is new."""
    found = set(parents.get(start, ()))
    while True:
        more = found | {above for name in found for above in parents.get(name, ())}
        if more == found:
            return found
        found = more


@given(graphs, names)
def test_ancestors_are_all_that_can_be_reached_but_never_oneself(parents, name):
    assert Lineage(parents).ancestors(name) == reaches(parents, name) - {name}


@given(graphs)
def test_a_cycle_is_found_exactly_when_there_is_one_and_is_one(parents):
    cycle = Lineage(parents).cycle()
    assert bool(cycle) == any(name in reaches(parents, name) for name in parents)
    if cycle:
        assert cycle[0] == cycle[-1]
        assert all(above in parents[below] for below, above in itertools.pairwise(cycle))


def test_a_name_that_is_not_in_the_graph_has_no_ancestors():
    assert Lineage().ancestors("a") == frozenset()
    assert Lineage().cycle() == ()


def test_long_chains_do_not_exhaust_the_stack():
    chain = Lineage({f"t{n}": frozenset({f"t{n + 1}"}) for n in range(20_000)})
    assert len(chain.ancestors("t0")) == 20_000
