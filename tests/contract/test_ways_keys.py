"""The ways to a key's copies give what the grouping gives, on random tables of every engine, and each is taken where it should be."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from random_tables import tried
from test_ways import Large, measured, sql, values

from dqmon.core.measurement import MetricRequest, Partition
from dqmon.engine.measuring.ways import WAYS, hashes
from dqmon.engine.measuring.ways.key import MOST_COPIES
from dqmon.sql import metrics as m
from dqmon.sql.metrics import key_ways

AT = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
KEY_WAYS = ("ordered", "bitmap", "hashes", "copies")
WORDS = {"each key is": "ordered", "a bitmap": "bitmap", "no two keys": "hashes", "only the keys": "hashes", "only keys": "copies"}

NAMES = ("i", "n", "h", "d", "f", "s", "c", "b", "t", "z", "day", "p")
TYPES = {
    "duckdb": (
        "bigint, smallint, hugeint, decimal(12, 2), double, varchar, varchar collate nocase, boolean, timestamp, timestamptz, date, varchar"
    ),
    "postgres": (
        "bigint, smallint, numeric(38, 0), numeric, double precision, varchar, char(3), boolean, timestamp, timestamptz, date, text"
    ),
    "sqlite": "bigint, smallint, bigint, decimal(12, 2), real, text, text collate nocase, boolean, timestamp, timestamp, date, text",
}
MOMENTS = st.integers(-3, 9).map(lambda hours: (AT + timedelta(hours=hours * 9)).replace(tzinfo=None))
VALUES = (
    st.one_of(st.integers(-4, 12), st.sampled_from([2**63 - 1, -(2**63)])),
    st.sampled_from([-(2**15), -1, 0, 1, 2**15 - 1]),
    st.one_of(st.integers(-3, 9), st.sampled_from([2**62, -(2**63), 2**63 - 1])),
    st.decimals(-2, 2, places=2),
    st.one_of(st.sampled_from([0.0, -0.0, math.nan, math.inf, 0.1, 0.30000000000000004]), st.floats(-2, 2, width=32)),
    st.sampled_from(["", "a", "A", "b", "É", "é", "e\u0301", "paid", "x" * 40]),
    st.sampled_from(["a", "A", "b", "b ", "é", "É"]),
    st.booleans(),
    MOMENTS,
    MOMENTS,
    MOMENTS.map(lambda at: at.date()),
    st.just("north"),
)
ROW = st.tuples(*(st.one_of(st.none(), value) if name != "n" else value for name, value in zip(NAMES, VALUES, strict=True)))
"""n is never NULL."""
KEYS: tuple[tuple[str, ...], ...] = (
    *((name,) for name in NAMES),
    *(("i", "n"), ("n", "i", "h"), ("s", "i"), ("s", "c"), ("t", "f"), ("b", "day", "d"), ("c", "z"), ("p", "i")),
)
BY_KEY = (m.KeyedRows, m.DistinctKeys, m.SurplusRows, m.DuplicatedKeys)
METRICS = [
    *(kind(key) for key in KEYS for kind in BY_KEY),
    *(kind(key, "equal") for key in KEYS[::4] for kind in BY_KEY[2:]),
    *(m.statistic(name, word) for name in NAMES for word in ("distinct_count", "distinct_ratio")),
]
EARLY = (AT - timedelta(hours=1)).replace(tzinfo=None)
DENSE: list[tuple[Any, ...]] = [
    (i + 1, 1, i * 5 % 8, Decimal(i), i / 2, f"text {i}", "a", True, EARLY, EARLY, EARLY.date(), "north") for i in range(8)
]
"""Keys in order, and others (h) close together in none."""
GAP = (None, 1, *(None for _ in range(6)), EARLY, *(None for _ in range(3)))
"""Between two copies a key that is none."""
PARTITIONS = (Partition("t", AT - DAY, AT), Partition("t", AT, AT + DAY), Partition("t", None, None))


def fill(lab: Any, rows: list[tuple[Any, ...]]) -> None:
    shown = [[str(v).lower() if isinstance(v, bool) else sql(lab.engine, v) for v in row] for row in rows]
    listed = ", ".join(f"({', '.join(row)})" for row in shown)
    lab.run("delete from t", *([f"insert into t values {listed}"] if rows else []))


def make(lab: Any) -> None:
    columns = zip(NAMES, TYPES[lab.engine].replace("(12, 2)", "(12;2)").replace("(38, 0)", "(38;0)").split(", "), strict=True)
    lab.run(f"create table t ({', '.join(f'{name} {kind}' for name, kind in columns)})".replace(";", ", "))


def requests(lab: Any, metrics: Any, where: str | None = None, partitions: tuple[Any, ...] = (None,)) -> list[MetricRequest]:
    return [MetricRequest(lab.ref("t"), metric, where, partition) for metric in metrics for partition in partitions]


def ways_taken(found: Any) -> dict[MetricRequest, str | None]:
    """By request which way it went; None for the plain statement."""
    said = {request: ms[0].way for request, ms in found.by_request.items()}
    return {request: way and next(name for words, name in WORDS.items() if way.startswith(words)) for request, way in said.items()}


@pytest.mark.random
@pytest.mark.parametrize(
    ("where", "partitions", "collisions"),
    [(None, (None,), False), (None, (None,), True), ("i > 0", PARTITIONS[:1], False), ("n < 2", PARTITIONS, False)],
    ids=["all", "two_hashes", "one_partition", "partitions"],
)
def test_all_ways_to_copies_are_the_grouping(lab, where, partitions, collisions, monkeypatch) -> None:
    if collisions:
        if "hashes" not in lab.warehouse.capabilities.key_ways:
            pytest.skip("this engine's keys are not hashed")
        collide(monkeypatch)
    make(lab)
    known = lab.warehouse.capabilities.key_ways
    alone = [(way,) for way in KEY_WAYS if way in known and len(known) > 1]  # one that is the only one is taken with all of them
    used: set[str | None] = set()

    @tried(8)
    @given(st.lists(ROW, max_size=12), st.booleans())
    @example(DENSE, False)
    @example([DENSE[0], GAP, DENSE[0]], False)
    def prove(rows, ascends) -> None:
        if ascends:
            rows = sorted(rows, key=lambda row: (row[0] is None, row[0] or 0, row[1]))
        fill(lab, rows)
        asked, warehouse = requests(lab, METRICS, where, partitions), Large(lab.warehouse)
        plain = values(measured(warehouse, asked, ()))
        for ways in (KEY_WAYS, *alone):
            found = measured(warehouse, asked, ways)
            told = values(found)
            wrong = {r: (told[r], plain[r]) for r in asked if repr(told[r]) != repr(plain[r])}
            assert not wrong, f"by {ways} {len(wrong)} values are not those of the grouping, such as {next(iter(wrong.items()))}"
            used.update(ways_taken(found).values())

    prove()
    assert used >= known, "some way was never taken, so that nothing was proved of it"


@pytest.fixture(autouse=True)
def _texts_are_long(monkeypatch) -> None:
    monkeypatch.setattr(hashes, "LONG", 0)


def test_short_texts_are_not_hashed(lab, monkeypatch) -> None:
    monkeypatch.undo()
    make(lab)
    for text, is_long in (("x" * 21, False), ("x" * 24, True)):
        fill(lab, mixed(50, text))
        found = measured(Large(lab.warehouse), requests(lab, [kind(("s",)) for kind in BY_KEY]), ("hashes",))
        assert [ms[0].value for ms in found.by_request.values()] == [50, 50, 0, 0]
        is_hashed = is_long and "hashes" in lab.warehouse.capabilities.key_ways
        assert set(ways_taken(found).values()) == {"hashes" if is_hashed else None}


def collide(monkeypatch) -> None:
    """All keys have one of two hashes."""
    original = key_ways.key_hash
    monkeypatch.setattr(key_ways, "key_hash", lambda columns, names: original(columns, names) % 2)


EXPECTED = {
    "duckdb": {
        ("i",): "ordered",
        ("t", "f"): "ordered",
        ("n", "i"): "ordered",
        ("h",): "bitmap",
        ("h", "n"): "bitmap",
        ("s",): "hashes",
        ("s", "c"): "hashes",
        ("d",): None,
    },
    "postgres": dict.fromkeys((("i",), ("t", "f"), ("n", "i"), ("h",), ("h", "n"), ("s",), ("s", "c"), ("d",)), "copies"),
    "sqlite": dict.fromkeys((("i",), ("s",), ("h", "n"))),
}
"""i ascends and t with it, n is always 1; h, d and s are in no order."""


def mixed(count: int, text: str = "") -> list[tuple[Any, ...]]:
    at = AT.replace(tzinfo=None)
    return [
        (i, 1, i * 17 % count, Decimal(i * 17 % count), i / 2, f"{text}{i * 17 % count}", "b", True, at + i * DAY, at, at.date(), "north")
        for i in range(count)
    ]


def test_each_key_goes_its_way(lab) -> None:
    make(lab)
    fill(lab, mixed(50))
    for key, way in EXPECTED[lab.engine].items():
        asked = requests(lab, [kind(key) for kind in BY_KEY])
        found = measured(Large(lab.warehouse), asked, WAYS)
        assert [ms[0].value for ms in found.by_request.values()] == [50, 50, 0, 0], key
        assert set(ways_taken(found).values()) == {way}, key


def test_copies_are_counted(lab) -> None:
    make(lab)
    rows = mixed(50)
    fill(lab, [*rows, *rows[:4], rows[3]])
    for key in (("i",), ("h", "n"), ("s",), ("s", "t"), ("d",)):
        found = measured(Large(lab.warehouse), requests(lab, [kind(key) for kind in BY_KEY]), WAYS)
        assert [ms[0].value for ms in found.by_request.values()] == [55, 50, 5, 4], key


def test_colliding_hashes_convict_nobody(lab, monkeypatch) -> None:
    if "hashes" not in lab.warehouse.capabilities.key_ways:
        pytest.skip("this engine's keys are not hashed")
    collide(monkeypatch)
    make(lab)
    fill(lab, mixed(50))
    asked = requests(lab, [kind(("s",)) for kind in BY_KEY])
    found = measured(Large(lab.warehouse), asked, ("hashes",))
    assert [ms[0].value for ms in found.by_request.values()] == [50, 50, 0, 0]
    assert {ms[0].way for ms in found.by_request.values()} == {"only the keys of 2 repeated hashes were counted"}


@pytest.mark.parametrize("copied", [MOST_COPIES, MOST_COPIES + 1])
def test_many_copies_are_grouped(lab, copied) -> None:
    """One more than are listed, and the plain statement counts them."""
    make(lab)
    fill(lab, mixed(copied, "text") * 2)
    found = measured(Large(lab.warehouse), requests(lab, [kind(("s",)) for kind in BY_KEY]), WAYS)
    assert [ms[0].value for ms in found.by_request.values()] == [2 * copied, copied, copied, copied]
    has_way = lab.warehouse.capabilities.key_ways and copied <= MOST_COPIES
    assert all((way is not None) == bool(has_way) for way in ways_taken(found).values()), ways_taken(found)


@pytest.mark.parametrize(
    ("ends", "is_dense"), [((0, 31), True), ((0, 32), False), ((-(2**63), -(2**63) + 1), True), ((2**63 - 2, 2**63 - 1), True)]
)
def test_only_dense_integers_have_a_bitmap(lab, ends, is_dense) -> None:
    """At most 16 possible keys for each row."""
    make(lab)
    low, high = ends
    fill(lab, [(high, *mixed(1)[0][1:]), (low, *mixed(1)[0][1:])])
    found = measured(Large(lab.warehouse), requests(lab, [kind(("i",)) for kind in BY_KEY]), ("bitmap",))
    assert [ms[0].value for ms in found.by_request.values()] == [2, 2, 0, 0]
    has_bitmap = is_dense and "bitmap" in lab.warehouse.capabilities.key_ways
    assert set(ways_taken(found).values()) == {"bitmap" if has_bitmap else None}


def test_small_tables_are_grouped_at_once(lab) -> None:
    make(lab)
    fill(lab, mixed(50))
    found = measured(lab.warehouse, requests(lab, [kind(("i",)) for kind in BY_KEY]), WAYS)
    assert found.statements == 1
    assert set(ways_taken(found).values()) == {None}


def test_a_column_known_to_repeat_is_not_listed(lab) -> None:
    """By estimate only, so that the answer is right either way."""
    make(lab)
    fill(lab, mixed(50))
    found = measured(Large(lab.warehouse, distinct=1000), requests(lab, [kind(("d",)) for kind in BY_KEY]), ("copies",))
    assert [ms[0].value for ms in found.by_request.values()] == [50, 50, 0, 0]
    assert set(ways_taken(found).values()) == {None}
