"""Every type documents itself; thresholds are judged exactly and told in words."""

from __future__ import annotations

import inspect
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import pytest
from hand_made import TYPES, check, judge
from hypothesis import given
from hypothesis import strategies as st

from dqmon.checks.base.words import breaks, count, holds, number, percent
from dqmon.core.judgement import Judgement
from dqmon.core.threshold import parse_threshold
from dqmon.core.verdict import Verdict
from dqmon.sql.metrics import MissingCount, RowCount

DATASET_TYPES = [name for name in TYPES.names() if TYPES.get(name).subject == "dataset"]
SECTIONS = (
    "What it measures",
    "Why it matters",
    "Parameters",
    "NULLs and empty tables",
    "SQL it runs",
    "Example",
    "Known limits",
    "References",
)


def completeness(missing: int, rows: int, warn_if: str | None = None, fail_if: str | None = None) -> Judgement:
    return judge(check("completeness", warn_if, fail_if, column="x"), {MissingCount("x"): missing, RowCount(): rows})


@pytest.mark.parametrize("name", DATASET_TYPES)
def test_every_type_documents_itself_in_the_agreed_sections(name: str) -> None:
    lines = inspect.cleandoc(TYPES.get(name).__doc__ or "").splitlines()
    titles = [line.removesuffix(":") for line in lines if line.removesuffix(":") in SECTIONS]
    assert titles == list(SECTIONS), f"{name} has the sections {titles}; write them all, in this order"


def test_finding_all_types_imports_nothing_heavy() -> None:
    code = (
        "import sys; from dqmon.core.registry import Registry; Registry('checks').all(); Registry('detectors').all(); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"numpy", "holidays", "sqlglot", "pandera", "duckdb"} & set(loaded)
    assert not heavy, f"{', '.join(sorted(heavy))} imported; do it inside the function that needs it"


@pytest.mark.parametrize("name", DATASET_TYPES)
def test_every_option_is_documented(name: str) -> None:
    doc = TYPES.get(name).__doc__ or ""
    told = doc.split("Parameters:")[1].split("NULLs and empty")[0]
    missing = [field.alias or option for option, field in TYPES.get(name).model_fields.items() if (field.alias or option) not in told]
    assert not missing, f"{name}: say under Parameters what {', '.join(missing)} mean"


@pytest.mark.parametrize(
    ("missing", "rows", "warn_if", "fail_if", "verdict"),
    [
        (0, 10, None, None, Verdict.PASS),
        (1, 10, None, None, Verdict.FAIL),
        (1, 10, "> 0", None, Verdict.WARN),
        (10, 10, "> 0", None, Verdict.WARN),
        (2, 10, "> 0", "> 20%", Verdict.WARN),
        (3, 10, "> 0", "> 20%", Verdict.FAIL),
        (0, 0, "> 0", "> 20%", Verdict.SKIPPED),
        (0, 0, None, "> 20%", Verdict.SKIPPED),
        (0, 0, None, "= 0", Verdict.SKIPPED),
        (1, 3, None, ">= 33.34%", Verdict.PASS),
        (1, 3, None, ">= 33.33%", Verdict.FAIL),
        (5, 10, None, "between 5 and 6", Verdict.FAIL),
        (7, 10, None, "not between 5 and 6", Verdict.FAIL),
        (7, 10, None, "!= 7", Verdict.PASS),
    ],
)
def test_thresholds(missing: int, rows: int, warn_if: str | None, fail_if: str | None, verdict: Verdict) -> None:
    judgement = completeness(missing, rows, warn_if, fail_if)
    assert judgement.verdict is verdict
    assert judgement.is_no_data == (rows == 0)


@given(rows=st.integers(1, 10**12), share=st.decimals(0, 100, places=3), data=st.data())
def test_a_percentage_is_exact(rows: int, share: Decimal, data: st.DataObject) -> None:
    """`> p %` fails exactly when missing / rows > p / 100, in fractions; floats would be off at the boundary."""
    edge = int(Fraction(share) * rows / 100)
    missing = min(rows, max(0, data.draw(st.integers(edge - 2, edge + 2))))
    is_bad = Fraction(missing, rows) > Fraction(share) / 100
    assert completeness(missing, rows, fail_if=f"> {share}%").verdict is (Verdict.FAIL if is_bad else Verdict.PASS)


@given(rows=st.integers(0, 10**6), data=st.data(), limit=st.integers(0, 100))
def test_the_expected_interval_says_what_the_verdict_says(rows: int, data: st.DataObject, limit: int) -> None:
    missing = data.draw(st.integers(0, rows))
    judgement = completeness(missing, rows, fail_if=f"> {limit}%")
    if judgement.verdict is not Verdict.SKIPPED:
        is_inside = missing <= (judgement.expected.high or 0) * (1 + 1e-12)
        assert (judgement.verdict is Verdict.PASS) == is_inside


@pytest.mark.parametrize(
    ("judgement", "reason", "expected"),
    [
        (completeness(203, 930, fail_if="> 20%"), "203 of 930 rows (21.8 %) have no x; fails above 20 %", "at most 20 % missing"),
        (completeness(1, 12400, "> 0", "> 5%"), "1 of 12,400 rows (0.01 %) has no x; warns above 0 rows", "no missing rows"),
        (completeness(2001, 10000, fail_if="> 20%"), "2,001 of 10,000 rows (20.01 %) have no x; fails above 20 %", "at most 20 % missing"),
        (completeness(0, 5, fail_if=">= 2"), "0 of 5 rows (0 %) have no x; fails from 2 rows", "less than 2 missing rows"),
    ],
)
def test_words_of_counts(judgement: Judgement, reason: str, expected: str) -> None:
    assert (judgement.reason, judgement.expected.text) == (reason, expected)


@pytest.mark.parametrize(
    ("bad", "breaks_text", "holds_text"),
    [
        ("> 20%", "above 20 %", "at most 20 %"),
        (">= 3", "from 3 rows", "less than 3 rows"),
        ("< 1000", "below 1,000 rows", "at least 1,000 rows"),
        ("< 1", "below 1 row", "at least 1 row"),
        ("<= 1000", "at 1,000 rows or less", "more than 1,000 rows"),
        ("= 0", "at exactly 0 rows", "anything but 0 rows"),
        ("!= 5", "at anything but 5 rows", "exactly 5 rows"),
        ("between 1 and 2", "from 1 to 2 rows", "less than 1 or more than 2 rows"),
        ("not between 9800 and 12400", "outside 9,800 to 12,400 rows", "between 9,800 and 12,400 rows"),
        ("> 0", "above 0 rows", "no rows"),
    ],
)
def test_words_of_thresholds(bad: str, breaks_text: str, holds_text: str) -> None:
    assert (breaks(parse_threshold(bad), "rows"), holds(parse_threshold(bad), "rows")) == (breaks_text, holds_text)


def test_words_of_numbers() -> None:
    assert [number(v) for v in (12400, Decimal("0.50"), 0.12345, 123456.7, Decimal(1000), -3)] == [
        "12,400",
        "0.5",
        "0.1235",
        "123,457",
        "1,000",
        "-3",
    ]
    assert [count(1, "rows"), count(0, "rows"), count(2, "rows")] == ["1 row", "0 rows", "2 rows"]
    assert percent(Decimal("99.99")) == "99.99 %"
    assert percent(Decimal(100)) == "100 %"
    assert percent(Decimal("0.0004")) == "0.0004 %"
