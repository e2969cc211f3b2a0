"""Options, words and statements of the types that test values: accepted_values, forbidden_values, pattern, length."""

from __future__ import annotations

import re
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest
import sqlalchemy as sa
from hand_made import NOW, TYPES, check, judge
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy.dialects import postgresql, sqlite

from dqmon.core.capabilities import Capabilities
from dqmon.core.check import Check
from dqmon.core.measurement import MetricRequest
from dqmon.core.metric import Value
from dqmon.core.plan import plan
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.sql.compile import compile_scan, fits
from dqmon.sql.formats import FormatName
from dqmon.sql.literal_sql import literal_sql
from dqmon.sql.metrics import InvalidFormatCount, InvalidPatternCount, UnlistedCount
from dqmon.sql.texts import _LAST_CASED, _case_pairs, _glob, folded


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (check("accepted_values", column="x", values=["a", ""], missing_values=[""]), "'' stands in missing_values too"),
        (check("forbidden_values", column="x", values=[True], missing_values=["true"]), "true stands in missing_values too"),
        (check("accepted_values", column="x", values=["a"], missing_pattern="("), "is not a regular expression"),
        (check("pattern", column="x"), "pattern has no rule"),
        (check("pattern", column="x", regex="a", format="iban"), "regex and format are given together"),
        (check("pattern", column="x", not_regex="("), "'(' is not a regular expression"),
        (check("pattern", column="x", like="50\\"), "has nothing to take as it is"),
        (check("pattern", column="x", not_like="a\\\\\\"), "has nothing to take as it is"),
        (check("length", column="x"), "length has no bound"),
        (check("length", column="x", equals=2, max=3), "equals stands beside min or max"),
        (check("length", column="x", min=3, max=2), "min 3 is above max 2"),
    ],
)
def test_what_is_wrong_with_options(declared: Check, problem: str) -> None:
    found = declared.rule.problems(declared)
    assert any(problem in sentence for sentence in found), f"found {found}, expected a sentence with {problem!r}"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("accepted_values", {"values": ["a", "b"], "missing_values": ["c"]}),
        ("pattern", {"like": "a\\\\"}),
        ("pattern", {"like": ""}),
        ("length", {"min": 2, "max": 2}),
        ("length", {"equals": 0}),
    ],
)
def test_options_with_nothing_wrong(kind: str, options: dict[str, Any]) -> None:
    declared = check(kind, column="x", **options)
    assert declared.rule.problems(declared) == ()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("accepted_values", {}),
        ("accepted_values", {"values": []}),
        ("accepted_values", {"values": "a"}),
        ("accepted_values", {"values": ["a", None]}),
        ("accepted_values", {"values": [float("nan")]}),
        ("accepted_values", {"values": [["a"]]}),
        ("forbidden_values", {"values": ["a"], "ignore_case": "yes"}),
        ("pattern", {"regex": ""}),
        ("pattern", {"format": "zip"}),
        ("pattern", {"regex": 1}),
        ("length", {"min": -1}),
        ("length", {"equals": 1.5}),
        ("length", {"max": True}),
    ],
)
def test_options_that_are_refused(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TYPES.get(kind)(column="x", **options)


def test_values_are_the_texts_that_every_type_can_read() -> None:
    values = ["new", 1, -1.50, Decimal("0.10"), True, date(2013, 1, 31), datetime(2013, 1, 31, 6, tzinfo=UTC)]
    rule = TYPES.get("accepted_values")(column="x", values=values)
    assert rule.values == ("new", "1", "-1.5", "0.10", "true", "2013-01-31", "2013-01-31T06:00:00+00:00")


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("accepted_values", {"values": ["a"]}, "1 of 4 rows (25 %) has x other than a; fails above 0 rows"),
        ("accepted_values", {"values": ["a", 2, "c-d"]}, "has x other than a, 2 or c-d;"),
        ("accepted_values", {"values": list(range(9))}, "has x other than 0, 1, 2, 3, 4 or 4 more;"),
        ("accepted_values", {"values": ["", "a b", "c\nd", "e" * 50]}, f"has x other than '', 'a b', 'c\\nd' or '{'e' * 40}…';"),
        ("forbidden_values", {"values": ["test", "?"]}, "has x test or '?';"),
        ("pattern", {"regex": "^a\n$"}, "has x not matching '^a\\n$';"),
        ("pattern", {"not_regex": "a"}, "has x matching 'a';"),
        ("pattern", {"like": "a%"}, "has x not like 'a%';"),
        ("pattern", {"not_like": ""}, "has x like '';"),
        ("pattern", {"format": "email"}, "has x not in the format email;"),
        ("length", {"equals": 1}, "has x not of 1 character;"),
        ("length", {"max": 5}, "has x longer than 5 characters;"),
        ("length", {"min": 1, "max": 5}, "has x shorter than 1 character or longer than 5 characters;"),
    ],
)
def test_reasons(kind: str, options: dict[str, Any], reason: str) -> None:
    declared = check(kind, column="x", **options)
    tested, invalid = declared.rule.metrics(declared)
    values: dict[Any, Value] = {tested: 4, invalid: 1}
    judgement = judge(declared, values)
    assert reason in judgement.reason
    assert judgement.expected.text == f"no {declared.rule.adjective} rows"


def every_check() -> list[Check]:
    return [
        check("completeness", column="x"),
        check("accepted_values", column="x", values=["a", "it's", "Ä"], missing_values=["", "-"], missing_pattern="^ $", ignore_case=True),
        check("forbidden_values", column="n", values=[1, 2.0]),
        check("length", column="x", min=1, max=9),
        *(check("pattern", column="x", format=name) for name in get_args(FormatName)),
        *(check("pattern", column="x", **{rule: "a"}) for rule in ("regex", "like", "not_regex", "not_like")),
    ]


def test_all_of_them_are_one_statement_which_fits_counts_in_full() -> None:
    table = TableRef("main", None, "s", "t")
    columns = (Column("x", "text", TypeGroup.TEXT, True, 1), Column("n", "int", TypeGroup.INTEGER, True, 2))
    requests = [MetricRequest(table, metric) for declared in every_check() for metric in declared.rule.metrics(declared)]
    (scan,) = plan(requests, lambda _: True)
    statement = compile_scan(scan, columns, (), Capabilities(grammar="postgres"), NOW).statement
    used = len(statement.compile(dialect=postgresql.dialect(), compile_kwargs={"render_postcompile": True}).params)
    assert not fits(scan, Capabilities(max_parameters=used - 1)), f"{used} parameters are in the statement"
    for dialect in (postgresql.dialect(), sqlite.dialect()):
        assert "\n-- {" not in literal_sql(statement, dialect), "the statement cannot be shown with its values"


def test_rules_that_differ_are_metrics_that_differ() -> None:
    metrics = [
        UnlistedCount("x", values=("1",)), UnlistedCount("x", values=("true",)), UnlistedCount("x", values=("1",), ignore_case=True),
        InvalidPatternCount("x", rule="regex", pattern="a"), InvalidPatternCount("x", rule="like", pattern="a"), InvalidFormatCount("x", format="iban"),
    ]  # fmt: skip
    assert len(set(metrics)) == len({metric.key for metric in metrics}) == len(metrics)


def test_the_doubled_digits_of_luhn() -> None:
    for digit in range(10):
        assert ord(str(digit)) % 48 == digit
        assert 22 * ord(str(digit)) % 229 % 10 == sum(map(int, str(2 * digit))) % 10


@given(pattern=st.text(st.sampled_from("a%_\\*?[]^-"), max_size=6), text=st.text(st.sampled_from("ab%_\\*?[]^-"), max_size=6))
def test_a_glob_matches_what_its_like_does(pattern: str, text: str) -> None:
    whole = re.sub(r"\\(.)|(%)|(_)|(.)", _as_regex, pattern.rstrip("\\"))
    with sa.create_engine("sqlite://").connect() as connection:
        found = connection.exec_driver_sql("select ? glob ?", (text, _glob(pattern.rstrip("\\")))).scalar()
    assert bool(found) == bool(re.fullmatch(whole, text, re.DOTALL))


def _as_regex(found: re.Match[str]) -> str:
    taken, many, one, plain = found.groups()
    return ".*" if many else "." if one else re.escape(taken or plain)


def test_every_letter_with_a_case_is_known() -> None:
    assert max(code for code in range(sys.maxunicode + 1) if chr(code).casefold() != chr(code)) <= _LAST_CASED


@given(
    value=st.text(st.sampled_from("aAkKsSſßẞ\u212aéÉσςΣiIıİдД1-"), min_size=1, max_size=5),
    flips=st.lists(st.sampled_from([str.upper, str.lower, str]), min_size=5),
)
def test_texts_are_equal_without_case_when_their_letters_fold_alike(value: str, flips: list[Any]) -> None:
    def fold(text: str) -> str:
        return "".join(letter.casefold() if len(letter.casefold()) == 1 else letter for letter in text)

    other = "".join(flip(letter) if len(flip(letter)) == 1 else letter for flip, letter in zip(flips, value, strict=False))
    table = str.maketrans(*_case_pairs(value))
    assert (other.translate(table) == value.translate(table)) == (fold(other) == fold(value[: len(flips)]) and len(other) == len(value))


def test_texts_without_letters_need_no_folding() -> None:
    text = sa.column("x", sa.Text())
    assert folded(text, ("1", "-")) == (text, ("1", "-"))
