"""The grammar of selectors, and what it picks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqmon.core.selector import KEYS, Selector, Term, parse_selector

CHECK = {
    "": ("analytics.orders", "analytics.orders.freshness.loaded_at"),
    "id": ("analytics.orders.freshness.loaded_at",),
    "type": ("freshness",),
    "tag": ("finance", "core"),
    "owner": ("@orders-team",),
    "severity": ("critical",),
}


@pytest.mark.parametrize(
    ("texts", "picks"),
    [
        ([], True),
        (["analytics.orders"], True),
        (["analytics.*"], True),
        (["*.orders"], True),
        (["orders"], False),
        (["analytics.orders.freshness.loaded_at"], True),
        (["analytics.orders.fresh*"], True),
        (["raw.*", "analytics.*"], True),
        (["raw.*,analytics.*"], True),
        (["raw.*"], False),
        (["type:freshness"], True),
        (["type:fresh*"], True),
        (["type:volume,freshness"], True),
        (["type:volume"], False),
        (["tag:core", "tag:finance"], True),
        (["tag:core tag:finance"], True),
        (["tag:core", "tag:legacy"], False),
        (["analytics.*", "type:volume"], False),
        (["not:type:volume"], True),
        (["not:type:freshness"], False),
        (["not:tag:legacy,finance"], False),
        (["not:raw.*"], True),
        (["not:analytics.*"], False),
        (["owner:@orders-team"], True),
        (["state:failing"], False),
        (["not:state:failing"], True),
        (["type:Freshness"], False),
    ],
)
def test_what_a_selector_picks(texts: list[str], picks: bool) -> None:
    assert parse_selector(texts).matches(CHECK) is picks


@pytest.mark.parametrize(
    ("word", "term"),
    [
        ("a.b", Term("", ("a.b",))),
        ("source/pipeline", Term("", ("source/pipeline",))),
        ("shop:public.orders", Term("", ("shop:public.orders",))),
        ("type:a,b", Term("type", ("a", "b"))),
        ("not:type:a", Term("type", ("a",), True)),
        ("not:a.b", Term("", ("a.b",), True)),
        ("id:shop:public.orders.row_count", Term("id", ("shop:public.orders.row_count",))),
    ],
)
def test_how_a_term_is_read(word: str, term: Term) -> None:
    assert parse_selector([word]) == Selector((term,))


@pytest.mark.parametrize("word", ["tpye:freshness", "type:", "not:", "not:type:", ",", "type:,"])
def test_a_term_that_is_not_understood_is_named(word: str) -> None:
    with pytest.raises(ValueError) as e:
        parse_selector(["fine", word])
    assert repr(word) in str(e.value)


@settings(deadline=None)
@given(st.sampled_from(KEYS), st.text(alphabet="ab*.[]()\\|+?^$", min_size=1, max_size=8), st.text(alphabet="ab.[]()\\|+?^$", max_size=8))
def test_only_the_star_is_special(key: str, pattern: str, value: str) -> None:
    def matches(pattern: str, value: str) -> bool:
        if not pattern:
            return not value
        if pattern[0] == "*":
            return any(matches(pattern[1:], value[at:]) for at in range(len(value) + 1))
        return value[:1] == pattern[0] and matches(pattern[1:], value[1:])

    assert parse_selector([f"{key}:{pattern}"]).matches({key: (value,)}) is matches(pattern, value)
    assert parse_selector([f"not:{key}:{pattern}"]).matches({key: (value,)}) is not matches(pattern, value)


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_a_selector_or_a_value_error(text: str) -> None:
    try:
        found = parse_selector([text])
    except ValueError:
        return
    assert len(found.terms) == len(text.split())
