"""Names of tables: read, written, quoted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqmon.core.table import TableRef, quote_part, split_dataset, table_ref


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("orders", ("orders",)),
        ("main.orders", ("main", "orders")),
        ("cat.main.orders", ("cat", "main", "orders")),
        ('"my.table"', ("my.table",)),
        ('main."my ""table"""', ("main", 'my "table"')),
        ('"a"."b"."c"', ("a", "b", "c")),
        ("Select", ("Select",)),
        ("tab le;--", ("tab le;--",)),
        ("naïve.täble", ("naïve", "täble")),
    ],
)
def test_a_dataset_has_parts(text: str, parts: tuple[str, ...]) -> None:
    assert split_dataset(text) == parts


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", '"open', '""', '"a"b', "a.b.c.d", '"a"."', '""."b"'])
def test_what_is_no_dataset_is_named(text: str) -> None:
    with pytest.raises(ValueError) as e:
        split_dataset(text)
    assert repr(text) in str(e.value)


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3))
def test_whatever_the_parts_are_they_can_be_written_and_read_back(parts: list[str]) -> None:
    assert split_dataset(".".join(map(quote_part, parts))) == tuple(parts)


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_a_dataset_or_a_value_error(text: str) -> None:
    try:
        parts = split_dataset(text)
    except ValueError:
        return
    assert 1 <= len(parts) <= 3
    assert split_dataset(".".join(map(quote_part, parts))) == parts


@pytest.mark.parametrize(
    ("text", "schema", "ref"),
    [
        ("orders", "public", TableRef("w", None, "public", "orders")),
        ("orders", None, TableRef("w", None, None, "orders")),
        ("x.orders", "public", TableRef("w", None, "x", "orders")),
        ("c.x.orders", "public", TableRef("w", "c", "x", "orders")),
    ],
)
def test_the_warehouses_schema_is_filled_in(text: str, schema: str | None, ref: TableRef) -> None:
    assert table_ref("w", text, schema) == ref
    assert ref.dataset == ".".join(part for part in (ref.catalog, ref.schema, ref.name) if part)
    assert str(ref) == f"w:{ref.dataset}"
