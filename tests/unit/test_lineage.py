"""The graph of what is made from what."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.core.lineage import Edge, Exposure, Lineage, joined, kind_of, of_edges

names = st.sampled_from("abcdef")
graphs = st.dictionaries(names, st.frozensets(names, max_size=3), max_size=6)
acyclic = graphs.map(lambda parents: {child: frozenset(p for p in above if p < child) for child, above in parents.items()})


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


@given(graphs, names, names)
def test_descendants_are_ancestors_the_other_way_round(parents, above, below):
    graph = Lineage(parents)
    assert (below in graph.descendants(above)) == (above in graph.ancestors(below))


@given(graphs)
def test_the_same_cycle_is_named_in_whatever_order_the_graph_was_made(parents):
    other = Lineage({child: frozenset(sorted(parents[child], reverse=True)) for child in sorted(parents, reverse=True)})
    assert Lineage(parents).cycle() == other.cycle()


@given(acyclic, graphs)
def test_joined_graphs_keep_what_is_declared_and_leave_out_only_what_closes_a_cycle(declared, told):
    graph, left_out = joined(Lineage(declared), Lineage(told))
    assert not graph.cycle()
    kept, wanted = set(graph.edges), {*Lineage(declared).edges, *Lineage(told).edges}
    assert kept | set(left_out) == wanted
    assert set(Lineage(declared).edges) <= kept
    for edge in left_out:
        assert of_edges([*kept, edge]).cycle(), f"{edge} was left out for nothing"


def test_an_exposure_that_both_know_is_as_declared():
    declared = Lineage({}, {"exposure:/a": Exposure("a", owner="us")})
    told = of_edges([Edge("exposure:/a", "main:x")], [Exposure("a", owner="them"), Exposure("b")])
    graph, left_out = joined(declared, told)
    assert (left_out, graph.exposures["exposure:/a"].owner, sorted(graph.exposures)) == ((), "us", ["exposure:/a", "exposure:/b"])
    assert graph.parents == {"exposure:/a": {"main:x"}}


def test_a_graph_that_has_been_turned_round_is_still_equal_to_one_that_has_not():
    turned = Lineage({"a": frozenset("b")})
    assert turned.children() == {"b": frozenset("a")}
    assert turned == Lineage({"a": frozenset("b")})


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        ("main:main.orders", "dataset"),
        ('main:"a/b".c', "dataset"),
        ("loader/orders", "pipeline"),
        ("kafka/topic:1", "pipeline"),
        (Exposure("board").node, "exposure"),
        ('exposure:"/board"', "dataset"),
    ],
)
def test_what_a_node_stands_for_is_told_by_its_name(node, kind):
    assert kind_of(node) == kind


def test_a_name_that_is_not_in_the_graph_has_no_ancestors():
    assert Lineage().ancestors("a") == frozenset()
    assert Lineage().cycle() == ()


def test_long_chains_do_not_exhaust_the_stack():
    chain = Lineage({f"t{n}": frozenset({f"t{n + 1}"}) for n in range(20_000)})
    assert len(chain.ancestors("t0")) == 20_000
    assert len(chain.descendants("t20000")) == 20_000
    assert chain.cycle() == ()
    ring = Lineage({**chain.parents, "t20000": frozenset({"t0"})})
    assert len(ring.cycle()) == 20_002
    graph, left_out = joined(chain, Lineage({"t20000": frozenset({"t0"})}))
    assert (graph, left_out) == (chain, (Edge("t20000", "t0"),))
