"""What sources say of the lineage: kept by polls, and made one graph with what the check files say."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from dqmon.core.lineage import Edge, Exposure, Lineage, of_edges
from dqmon.core.load_record import PipelineInfo
from dqmon.engine.polling.lineage import LONGEST_NODE, keep_lineage, whole
from dqmon.engine.polling.poll import poll
from dqmon.errors import SourceError
from dqmon.store import lineage
from dqmon.store.database import Database

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FOUND = of_edges([Edge("main:a", "main:b"), Edge("exposure:/board", "main:a")], [Exposure("board")])


class Mute:
    """A source that knows no lineage."""

    name, provides = "dbt", frozenset()

    def pipelines(self):
        return (PipelineInfo(self.name, "p"),)

    def loads(self, since, until):
        return ()

    def backlog(self, at):
        return ()


class Telling(Mute):
    """A source that says what it was given, or raises it."""

    def __init__(self, found):
        self.found = found

    def lineage(self):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture
def store(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    database.prepare()
    yield database
    database.close()


def told(store):
    with store.read() as connection:
        return lineage.of_sources(connection, ["dbt"])


def test_a_poll_keeps_what_the_source_says(store):
    assert poll({"dbt": Telling(FOUND)}, store, NOW) == {}
    assert told(store) == {"dbt": FOUND}


def test_a_source_that_knows_no_lineage_leaves_none(store):
    assert poll({"dbt": Mute()}, store, NOW) == {}
    assert told(store) == {}


def test_a_source_that_cannot_be_read_keeps_what_it_said_last(store):
    poll({"dbt": Telling(FOUND)}, store, NOW)
    failures = poll({"dbt": Telling(SourceError("ingestion dbt: no manifest"))}, store, NOW)
    assert "no manifest" in str(failures["dbt"])
    assert told(store) == {"dbt": FOUND}


def test_nothing_is_written_while_the_source_says_the_same(store):
    keep_lineage(Telling(FOUND), store, NOW)
    store.write = lambda: pytest.fail("a transaction was begun to write what is there already")
    keep_lineage(Telling(FOUND), store, NOW + timedelta(hours=1))
    assert told(store) == {"dbt": FOUND}


def test_a_name_that_no_index_takes_is_refused_with_its_length(store):
    keep_lineage(Telling(of_edges([Edge("main:a", "m" * LONGEST_NODE)])), store, NOW)
    with pytest.raises(SourceError, match=r"ingestion dbt: .* 801 characters; 800 are the limit"):
        keep_lineage(Telling(of_edges([Edge("main:a", "m" * (LONGEST_NODE + 1))])), store, NOW)
    assert told(store)["dbt"].parents == {"main:a": {"m" * LONGEST_NODE}}


DECLARED = of_edges([Edge("main:main.b", "main:main.a"), Edge("main:main.a", "dlt/shop")])


def test_the_graph_is_that_of_files_and_all_tools():
    graph = whole(DECLARED, (), {"dbt": of_edges([Edge("main:main.c", "main:main.b")]), "events": FOUND})
    assert graph == DECLARED.beside(of_edges([Edge("main:main.c", "main:main.b")])).beside(FOUND)


def test_an_edge_of_a_tool_that_closes_a_circle_is_left_out_with_one_warning(caplog):
    dbt = of_edges([Edge("dlt/shop", "main:main.b"), Edge("main:main.c", "main:main.b")])
    events = of_edges([Edge("dlt/shop", "main:main.b"), Edge("main:main.a", "main:main.b")])
    with caplog.at_level(logging.WARNING, "dqmon"):
        graph = whole(DECLARED, (), {"events": events, "dbt": dbt})
    assert graph == DECLARED.beside(of_edges([Edge("main:main.c", "main:main.b")]))
    (record,) = caplog.records
    assert record.fields["left_out"] == "dlt/shop <- main:main.b (dbt, events); main:main.a <- main:main.b (events)"


def test_two_tools_that_contradict_each_other_are_decided_by_name_and_not_by_who_comes_first(caplog):
    one, other = of_edges([Edge("main:a", "main:b")]), of_edges([Edge("main:b", "main:a")])
    with caplog.at_level(logging.WARNING, "dqmon"):
        assert whole(Lineage(), (), {"x": one, "y": other}) == whole(Lineage(), (), {"x": other, "y": one}) == one
    assert [record.fields["left_out"] for record in caplog.records] == ["main:b <- main:a (y)", "main:b <- main:a (x)"]


def test_a_table_in_other_letters_is_the_one_that_the_check_files_name():
    told = {"dbt": of_edges([Edge("main:Main.B", "main:RAW.x"), Edge("main:MAIN.b", "dbt/Shop"), Edge("exposure:/Board", "main:main.d")])}
    graph = whole(DECLARED, ("main:raw.X", "main:main.D"), told)
    assert graph.parents["main:main.b"] == {"main:main.a", "main:raw.X", "dbt/Shop"}
    assert graph.parents["exposure:/Board"] == {"main:main.D"}


def test_tables_that_the_check_files_name_in_two_spellings_stay_as_they_are():
    graph = whole(Lineage(), ("main:s.Orders", "main:s.orders"), {"dbt": of_edges([Edge("main:s.ORDERS", "main:s.Orders")])})
    assert graph.parents == {"main:s.ORDERS": {"main:s.Orders"}}
