"""Distributions: the grid of numbers, the formulas against independent ones, histograms brought to the same bins."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.checks.base.bins import Bin, compared, in_order, lines, moved
from dqmon.checks.base.divergence import jensen_shannon, ks, psi
from dqmon.core.histogram import GRID, HIGHEST, LISTED, LOWEST, Histogram, coarse, grid_code, grid_span, read_histogram

METHODS = pytest.mark.parametrize("score", [psi, jensen_shannon, ks])
PAIRS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=30).filter(
    lambda pairs: all(map(sum, zip(*pairs, strict=True)))
)
NUMBERS = st.floats(allow_nan=False, width=64)
STEPS = st.sampled_from([2**i for i in range(13)])


@METHODS
@given(rows=st.lists(st.integers(0, 10**9), min_size=1, max_size=30).filter(any))
def test_nothing_moved(score, rows: list[int]) -> None:
    assert score(rows, rows) == 0


@METHODS
@given(rows=st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any), times=st.integers(1, 1000))
def test_more_rows_of_the_same_shares(score, rows: list[int], times: int) -> None:
    assert score(rows, [count * times for count in rows]) == pytest.approx(0, abs=1e-12)


@METHODS
@given(pairs=PAIRS)
def test_symmetric_and_within_bounds(score, pairs: list[tuple[int, int]]) -> None:
    before, now = zip(*pairs, strict=True)
    found = score(before, now)
    assert found == pytest.approx(score(now, before), rel=1e-9, abs=1e-12)
    assert 0 <= found <= (math.inf if score is psi else 1)


@pytest.mark.parametrize("score", [psi, jensen_shannon])
@given(pairs=PAIRS, seed=st.randoms(use_true_random=False))
def test_the_order_of_categories_is_nothing(score, pairs: list[tuple[int, int]], seed) -> None:
    mixed = list(pairs)
    seed.shuffle(mixed)
    assert score(*zip(*pairs, strict=True)) == pytest.approx(score(*zip(*mixed, strict=True)), rel=1e-9, abs=1e-12)


@given(before=st.lists(st.integers(0, 30), min_size=1, max_size=60), now=st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_ks_is_that_of_the_values(before: list[int], now: list[int]) -> None:
    rows = [[side.count(value) for value in range(31)] for side in (before, now)]
    by_hand = max(abs(Fraction(sum(v <= x for v in before), len(before)) - Fraction(sum(v <= x for v in now), len(now))) for x in range(31))
    assert ks(*rows) == pytest.approx(float(by_hand), abs=1e-15)


@given(pairs=PAIRS)
def test_psi_is_relative_entropy_both_ways(pairs: list[tuple[int, int]]) -> None:
    columns = list(zip(*pairs, strict=True))
    half = 0.5 / min(map(sum, columns))
    sides = [[(count / sum(side) + half) / (1 + len(side) * half) for count in side] for side in columns]
    entropy = [sum(a * math.log(a / b) for a, b in zip(*order, strict=True)) for order in (sides, sides[::-1])]
    assert psi(*zip(*pairs, strict=True)) == pytest.approx(sum(entropy), rel=1e-9, abs=1e-9)


def test_ends_of_the_scales() -> None:
    assert jensen_shannon([5, 0], [0, 3]) == 1
    assert ks([5, 0], [0, 3]) == 1
    # Shares of one half, in bits: ½ log₂(½ / ¼) + ½ (½ log₂(½ / ¾) + log₂(1 / ¾)).
    expected = (0.5 * math.log2(0.5 / 0.75) + 0.5 * 1 + math.log2(1 / 0.75)) / 2
    assert jensen_shannon([1, 1], [2, 0]) == pytest.approx(expected)


@given(NUMBERS, STEPS)
def test_a_number_is_inside_of_its_bin(value: float, step: int) -> None:
    low, high = grid_span(coarse(grid_code(value), step), step)
    held = math.copysign(min(abs(value), 2.0**HIGHEST), value) if abs(value) >= 2.0**LOWEST else 0.0
    assert low <= held <= high
    assert (held < high) if held > 0 else (held > low) if held < 0 else (low == high == 0)


@given(NUMBERS, NUMBERS)
def test_the_grid_is_in_order_and_mirrored(a: float, b: float) -> None:
    assert (grid_code(a) <= grid_code(b)) or a > b
    assert grid_code(-a) == -grid_code(a)


@given(NUMBERS, STEPS, STEPS)
def test_coarse_bins_are_made_of_whole_finer_ones(value: float, fine: int, more: int) -> None:
    code = grid_code(value)
    assert coarse(coarse(code, fine), fine * more) == coarse(code, fine * more)


@given(st.floats(1e-9, 1e30))
def test_a_bin_is_narrow(value: float) -> None:
    low, high = grid_span(grid_code(value), 1)
    assert (high - low) / low <= 1 / GRID


def test_not_a_number_has_no_bin() -> None:
    with pytest.raises(ValueError, match="NaN"):
        grid_code(math.nan)


@given(st.lists(st.tuples(st.text(), st.integers(1)), max_size=5), st.integers(0), st.integers(0))
def test_what_is_kept_is_what_was_measured(bins: list[tuple[str, int]], other: int, missing: int) -> None:
    for found in (Histogram(tuple(bins), other, missing), Histogram(((-3, 4), (0, 1)), 0, missing, 64)):
        assert read_histogram(str(found)) == found


def of(numbers: list[float], step: int = 1) -> Histogram:
    codes = [coarse(grid_code(number), step) for number in numbers]
    return Histogram(tuple(sorted((code, codes.count(code)) for code in set(codes))), 0, 0, step)


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), min_size=2, max_size=4), st.lists(STEPS, min_size=4, max_size=4))
def test_no_number_is_lost_and_bins_are_about_tenths(samples: list[list[float]], steps: list[int]) -> None:
    *before, now = (of(numbers, step) for numbers, step in zip(samples, steps, strict=False))
    bins, fine = compared(before, now), in_order(before, now)
    assert sum(one.before for one in bins) == sum(one.rows for one in before) == sum(rows for _, rows, _ in fine)
    assert sum(one.now for one in bins) == now.rows == sum(rows for *_, rows in fine)
    largest = max(rows for _, rows, _ in fine)
    assert max(one.before for one in bins) <= max(largest, sum(one.before for one in bins) / 10)
    assert len(bins) <= 22, "tenths, of which two in a row are more than one, and both outsides"


def test_values_outside_of_all_earlier_ones_have_bins_of_their_own() -> None:
    bins = compared([of([5.0] * 100)], of([5.0] * 90 + [-1.0] * 4 + [7.0] * 6))
    assert bins == (Bin("below 5", 0, 4), Bin("5", 100, 90), Bin("above 5", 0, 6))
    assert moved(bins, 3) == "5: 100 % → 90 %, above 5: 0 % → 6 %, below 5: 0 % → 4 %"
    assert lines(bins)[0] == "below 5: 0 % before, 4 % now"


def test_negative_numbers_are_named_by_both_ends() -> None:
    bins = compared([of([-64.0, -1.0, 0.0, 1.0, 64.0] * 2, GRID)], of([-100.0]))
    assert [one.label for one in bins] == ["-128 to -64", "-2 to -1", "0", "1 to 2", "64 to 128"]
    assert [one.now for one in bins] == [1, 0, 0, 0, 0]


def test_numbers_where_there_were_none() -> None:
    assert compared([Histogram((), 0, 7)], of([1.0])) == (Bin("any number", 0, 1), Bin("NULL", 7, 0))
    assert compared([of([1.0])], Histogram((), 0, 7)) == (Bin("1", 1, 0), Bin("NULL", 0, 7))


def test_rare_values_are_one_bin() -> None:
    many = tuple((f"v{i:03}", 5) for i in range(199))
    bins = compared([Histogram((("a", 1000), *many), 5)], Histogram((("a", 1000), *many[:-1]), 10))
    assert bins == (Bin("a", 1000, 1000, is_value=True), Bin("all others", 1000, 1000))


def test_a_value_that_is_not_listed_may_hide_among_the_others() -> None:
    before, now = Histogram((("a", 900),), 100), Histogram((("a", 900), ("b", 100)))
    hidden = (before.rows - 1) // LISTED
    assert compared([before], now)[1] == Bin("b", hidden, 100, is_value=True)
    listed_all = compared([Histogram((("a", 1000),))], now)
    assert listed_all[1] == Bin("b", 0, 100, is_value=True)
    assert moved(listed_all, 3) == "a: 100 % → 90 %; new: b (10 %)"


def test_many_changes_are_told_in_few_words() -> None:
    before = Histogram(tuple((f"old{i}", 20) for i in range(5)))
    now = Histogram(tuple((f"new{i}", 20) for i in range(5)))
    words = moved(compared([before], now), 3)
    assert words == "new: new0 (20 %), new1 (20 %), new2 (20 %), 2 more; gone: old0 (20 %), old1 (20 %), old2 (20 %), 2 more"
