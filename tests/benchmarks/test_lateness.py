"""10,000 checks a minute in a real `dqmon run`, the truth in the store: how late, at what cost (R26)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import lateness

P99_S = 0.5
SCHEDULING = 0.05
GROWTH_MB = 60


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    return f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else request.getfixturevalue("postgres_database")


def assert_in_time(found: lateness.Figures, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{found}")
    assert found.results == found.due, f"found {found.results} results for {found.due} due slots: each runs exactly once"
    assert found.p99 < P99_S, (
        f"found a p99 lateness of {found.p99:.3f} s; less than {P99_S} s is promised (R26); "
        f"run it on a quiet machine: the daemon waited {found.cpu_wait_ratio:.0%} of the time for a core"
    )
    assert found.tick_ratio < SCHEDULING, (
        f"found scheduling at {found.tick_ratio:.1%} of a core; less than {SCHEDULING:.0%} is promised (R26)"
    )
    assert found.peak_mb - found.idle_mb < GROWTH_MB, (
        f"found {found.peak_mb:.0f} MB, {found.idle_mb:.0f} MB idle; {GROWTH_MB} MB more are allowed"
    )


def test_10000_checks_a_minute_for_20_seconds(store, tmp_path, capsys):
    assert_in_time(lateness.measure(tmp_path, store, 20), capsys)


@pytest.mark.long
def test_10000_checks_a_minute_for_5_minutes(store, tmp_path, capsys):
    assert_in_time(lateness.measure(tmp_path, store, 300), capsys)
