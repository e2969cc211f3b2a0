"""How far two distributions over the same bins are apart. All take the rows of each bin, before and now, of one row at least."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

_EMPTY_BIN = 0.5
"""Rows of the smaller side that every bin has besides, so that an empty one has no infinite logarithm: the estimator of
Krichevsky and Trofimov, The performance of universal encoding, IEEE Transactions on Information Theory 27 (1981). It weighs less
the more rows there are; both sides have the same share added, so that equal shares stay equal."""


def psi(before: Sequence[int], now: Sequence[int]) -> float:
    """The population stability index, Σ (qᵢ − pᵢ) ln(qᵢ / pᵢ) with p before and q now: 0 for the same shares, else above; no bound.

    Half a row of the smaller side is added to every bin of both, as a share. It is symmetric. Siddiqi, Credit Risk Scorecards
    (2006), where below 0.1 is no change to speak of and above 0.25 a major one.
    """
    more = _EMPTY_BIN / min(sum(before), sum(now))
    p, q = ([(share + more) / (1 + more * len(side)) for share in _shares(side)] for side in (before, now))
    return math.fsum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))


def jensen_shannon(before: Sequence[int], now: Sequence[int]) -> float:
    """The Jensen-Shannon divergence in bits, ½ Σ pᵢ log₂(pᵢ / mᵢ) + ½ Σ qᵢ log₂(qᵢ / mᵢ) with m = (p + q) / 2.

    0 for the same shares, 1 when no bin has rows of both. It is symmetric, and the square of the Jensen-Shannon distance.
    Lin, Divergence Measures Based on the Shannon Entropy, IEEE Transactions on Information Theory 37 (1991).
    """
    p, q = _shares(before), _shares(now)
    terms = (share * math.log2(share / ((a + b) / 2)) for a, b in zip(p, q, strict=True) for share in (a, b) if share)
    return min(1.0, max(0.0, math.fsum(terms) / 2))


def ks(before: Sequence[int], now: Sequence[int]) -> float:
    """The Kolmogorov-Smirnov distance, max |P(x) − Q(x)| of the shares up to each bin; the bins stand in ascending order.

    0 for the same shares, 1 when all of one side lies below the other. At the bins' edges it is that of the values, which
    between them may be larger, by the share of one bin at most.
    """
    total, other = sum(before), sum(now)
    pairs = zip(accumulate(before), accumulate(now), strict=True)
    # Whole numbers until the last step, so that equal shares give 0 exactly.
    return max(abs(a * other - b * total) for a, b in pairs) / (total * other)


def _shares(rows: Sequence[int]) -> list[float]:
    total = sum(rows)
    return [count / total for count in rows]
