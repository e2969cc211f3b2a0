"""What tools said of the lineage, on both stores: the last word of each source, as a whole."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
import store_rows
from store_rows import HOUR, T

from dqmon.core.lineage import Edge, Exposure, Lineage, of_edges
from dqmon.store import aged, lineage
from dqmon.store.database import Database

database, postgres_store = store_rows.database, store_rows.postgres_store

BOARD = Exposure("board", "dashboard", "cfo@example.com", "https://bi.example.com", "what the CFO reads")
FIRST = of_edges(
    [Edge("main:a", "main:b"), Edge("main:a", "dbt/shop"), Edge(BOARD.node, "main:a")], [BOARD, Exposure("bare", "ml", None, None, None)]
)


def keep(database: Database, found: Lineage, source: str = "dbt", at=T):
    with database.write() as connection:
        lineage.keep(connection, source, found, at)


def told(database: Database, *sources: str):
    with database.read() as connection:
        return lineage.of_sources(connection, sources)


def seen(database: Database):
    with database.read() as connection:
        edges, ends = lineage.edges.c, lineage.exposures.c
        rows = connection.execute(sa.select(edges.child, edges.parent, edges.seen_at))
        return {tuple(row)[:2]: row.seen_at for row in rows} | {
            row.name: row.seen_at for row in connection.execute(sa.select(ends.name, ends.seen_at))
        }


def test_what_was_kept_is_read_as_it_was(database):
    keep(database, FIRST)
    assert told(database, "dbt") == {"dbt": FIRST}


def test_a_source_that_said_nothing_is_not_in_the_answer(database):
    keep(database, FIRST, "other")
    assert told(database, "dbt") == {}
    assert told(database) == {}


def test_the_last_word_takes_the_place_of_all_before_and_of_no_other_sources(database):
    keep(database, FIRST)
    keep(database, FIRST, "other")
    second = of_edges([Edge("main:a", "main:b"), Edge("main:c", "main:a")], [Exposure("board", "notebook", None, None, None)])
    keep(database, second, at=T + HOUR)
    assert told(database, "dbt", "other") == {"dbt": second, "other": FIRST}
    keep(database, Lineage(), at=T + HOUR)
    assert told(database, "dbt", "other") == {"other": FIRST}


def test_when_something_was_said_is_written_once_a_day(database):
    keep(database, FIRST)
    keep(database, of_edges([Edge("main:a", "main:b"), Edge("main:c", "main:a")], [BOARD]), at=T + HOUR)
    assert seen(database) == {("main:a", "main:b"): T, ("main:c", "main:a"): T + HOUR, "board": T}
    keep(database, of_edges([Edge("main:a", "main:b")], [Exposure("board", "ml", None, None, None)]), at=T + 2 * HOUR)
    assert seen(database) == {("main:a", "main:b"): T, "board": T + 2 * HOUR}
    last = of_edges([Edge("main:a", "main:b")], [BOARD])
    keep(database, last, at=T + 3 * HOUR)
    for hours, is_kept in ((24, True), (25, False)):
        with database.read() as connection:
            assert lineage.is_kept(connection, "dbt", last, T + hours * HOUR) is is_kept
    keep(database, last, at=T + 25 * HOUR)
    assert seen(database) == {("main:a", "main:b"): T + 25 * HOUR, "board": T + 3 * HOUR}


def test_what_nobody_has_said_for_long_is_deleted_also_of_sources_that_are_gone(database):
    keep(database, FIRST, "gone")
    keep(database, of_edges([Edge("main:a", "main:b")], [BOARD]))
    keep(database, of_edges([Edge("main:a", "main:b")]), at=T + 90 * 24 * HOUR)
    with database.write() as connection:
        later = T + 90 * 24 * HOUR + HOUR
        found = [delete(connection, 90 * 24 * HOUR, later, 100) for delete in (aged.delete_edges, aged.delete_exposures)]
    assert found == [3, 2]
    assert told(database, "dbt", "gone") == {"dbt": of_edges([Edge("main:a", "main:b")])}


def test_an_unfinished_replacement_leaves_the_old_set(database):
    keep(database, FIRST)

    def interrupted():
        with database.write() as connection:
            lineage.keep(connection, "dbt", Lineage(), T)
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        interrupted()
    assert told(database, "dbt") == {"dbt": FIRST}


def test_odd_names_are_kept_and_found_unchanged_the_next_time(database):
    odd = of_edges([Edge('main:"żółć 🐤"', "main:it's; drop table dq_edges;--"), Edge("main:\0", "main:\ud800")])
    keep(database, odd)
    kept = seen(database)
    assert set(kept) == {('main:"żółć 🐤"', "main:it's; drop table dq_edges;--"), ("main:␀", "main:?")}
    keep(database, odd, at=T + HOUR)
    assert seen(database) == kept


def test_edges_of_a_source_that_never_says_all_at_once_add_up(database):
    with database.write() as connection:
        lineage.add(connection, "events", [Edge("main:a", "main:b"), Edge("main:a", "main:b")], T)
        lineage.add(connection, "events", [Edge("main:a", "main:b"), Edge("main:b", "main:c")], T + HOUR)
        lineage.add(connection, "events", [], T + HOUR)
    assert seen(database) == {("main:a", "main:b"): T, ("main:b", "main:c"): T + HOUR}
    with database.write() as connection:
        lineage.add(connection, "events", [Edge("main:a", "main:b")], T + 25 * HOUR)
    assert seen(database) == {("main:a", "main:b"): T + 25 * HOUR, ("main:b", "main:c"): T + HOUR}
    assert told(database, "events") == {"events": of_edges([Edge("main:a", "main:b"), Edge("main:b", "main:c")])}
