"""Results and the daily score on both engines."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa
import store_rows
from store_rows import DAY, HOUR, T, in_day, result

from dqmon.core.result import ResultRecord
from dqmon.core.verdict import Severity, Verdict
from dqmon.store import results
from dqmon.store.database import Database
from dqmon.store.views import daily_score

WEIGHTS = {Severity.INFO: 1, Severity.WARNING: 2, Severity.ERROR: 4, Severity.CRITICAL: 8}

database, postgres_store = store_rows.database, store_rows.postgres_store


def add_results(database: Database, *records: ResultRecord) -> tuple[ResultRecord, ...]:
    with database.write() as connection:
        return results.add(connection, records, T)


def test_a_slot_that_ran_twice_is_recorded_once(database: Database) -> None:
    first, again = result(reason="first"), result(reason="again", run_id="run2")
    other = result(segment='{"a": "b"}', run_id="run2")
    assert add_results(database, first, first) == (first,), "twice in one batch"
    assert add_results(database, again, other) == (other,)
    with database.read() as connection:
        assert set(results.recent(connection, first.check_id, 10)) == {first, other}


def test_ad_hoc_results_may_repeat_a_slot_and_are_shown_on_request_only(database: Database) -> None:
    scheduled, earlier = result(), result(T - DAY)
    ad_hoc = result(is_ad_hoc=True, run_id="adhoc", measured_at=T + DAY)
    assert add_results(database, scheduled, earlier, ad_hoc) == (scheduled, earlier, ad_hoc)
    with database.read() as connection:
        assert results.latest(connection, [scheduled.check_id]) == {scheduled.check_id: (scheduled,)}
        assert results.latest(connection, [scheduled.check_id], include_ad_hoc=True) == {scheduled.check_id: (ad_hoc,)}
        assert results.recent(connection, scheduled.check_id, 10) == (scheduled, earlier)


def test_when_checks_were_measured_last_and_last_as_good(database: Database) -> None:
    good, bad = result(T, check_id="a"), result(T + HOUR, check_id="a", verdict=Verdict.FAIL)
    late = result(T - HOUR, check_id="b", measured_at=T + DAY)
    ad_hoc = result(T + DAY, check_id="b", is_ad_hoc=True)
    add_results(database, good, bad, late, ad_hoc, result(check_id="never asked"), result(check_id="bad", verdict=Verdict.FAIL))
    with database.read() as connection:
        assert results.measured(connection, ["a", "b", "none"]) == {"a": bad.measured_at, "b": late.measured_at}
        assert results.measured(connection, ["a", "b", "bad"], Verdict.PASS) == {"a": good.measured_at, "b": late.measured_at}
        assert results.measured(connection, []) == {}


def test_an_ad_hoc_result_does_not_take_the_slot(database: Database) -> None:
    ad_hoc, scheduled = result(is_ad_hoc=True), result()
    assert add_results(database, ad_hoc, scheduled) == (ad_hoc, scheduled)


def test_partitions_judged_twice_in_one_batch_leave_one_current_version(database: Database) -> None:
    made = [result(T + hour * HOUR, **in_day(T - DAY)) for hour in range(2)]
    assert add_results(database, *made) == tuple(made)
    with database.read() as connection:
        assert results.recent(connection, made[0].check_id, 10) == (made[1],)


def test_a_partition_judged_again_is_current_once(database: Database) -> None:
    old = result(T + DAY, **in_day(T), verdict=Verdict.FAIL, run_id="r1")
    new = [result(T + 2 * DAY, **in_day(day), run_id="r2") for day in (T, T + DAY)]
    add_results(database, old)
    add_results(database, *new)
    with database.read() as connection:
        assert results.latest(connection, [old.check_id]) == {old.check_id: tuple(new)}
        assert set(results.recent(connection, old.check_id, 10)) == set(new)
        assert results.by_ids(connection, [old.id]) == {old.id: old}, "older versions are kept"
        assert results.of_run(connection, "r1") == (old,)


def test_latest_of_many_checks(database: Database) -> None:
    made = [result(T + hour * HOUR, check_id=f"c{n}", run_id=f"r{hour}") for n in range(5) for hour in range(n + 1)]
    add_results(database, *made)
    with database.read() as connection:
        found = results.latest(connection, [f"c{n}" for n in range(7)])
        assert results.latest(connection, []) == {}
    assert {check_id: [r.scheduled_at for r in rows] for check_id, rows in found.items()} == {f"c{n}": [T + n * HOUR] for n in range(5)}


def test_the_daily_score_equals_a_reference(database: Database) -> None:
    made = []
    for n, verdict in enumerate([*Verdict] * 8):
        severity = [*Severity][n // 5 % 4]
        fields: dict[str, Any] = {"verdict": verdict, "severity": severity, "check_id": f"c{n}", "is_ad_hoc": n % 7 == 0}
        fields |= {"dataset": ("shop.orders", "shop.customers", None)[n % 3]}
        made.append(result(T + (n % 2) * DAY, **fields))
    # Local days of Tokyo, New York and Warsaw that are all 3 March; and an older version that must not count.
    for n, start in enumerate(
        (datetime(2026, 3, 2, 15, tzinfo=UTC), datetime(2026, 3, 3, 5, tzinfo=UTC), datetime(2026, 3, 2, 23, tzinfo=UTC))
    ):
        made.append(result(T + 5 * DAY, check_id=f"zone{n}", verdict=Verdict.FAIL, **in_day(start)))
        made.append(result(T + 6 * DAY, check_id=f"zone{n}", **in_day(start)))
    add_results(database, *made)
    expected = {}
    for day in (date(2026, 3, 2), date(2026, 3, 3)):
        zones = [r for r in made if r.check_id.startswith("zone") and r.verdict is Verdict.PASS] if day == date(2026, 3, 3) else []
        plain = [r for r in made if not r.check_id.startswith("zone") and r.scheduled_at.date() == day]
        counted = [r for r in plain + zones if r.dataset == "shop.orders" and not r.is_ad_hoc]
        judged = [r for r in counted if r.verdict in (Verdict.PASS, Verdict.WARN, Verdict.FAIL)]
        passed = [r for r in judged if r.verdict is Verdict.PASS]
        score = sum(WEIGHTS[r.severity] for r in passed) / sum(WEIGHTS[r.severity] for r in judged)
        expected[day] = (len(passed), len(judged), pytest.approx(score), pytest.approx(len(judged) / len(counted)))
    with database.read() as connection:
        found = connection.execute(sa.select(daily_score).where(daily_score.c.dataset == "shop.orders")).all()
    assert {row.day: (row.passed, row.judged, row.score, row.coverage) for row in found} == expected


def test_a_day_on_which_nothing_was_judged_has_no_score(database: Database) -> None:
    add_results(database, result(verdict=Verdict.ERROR))
    with database.read() as connection:
        (row,) = connection.execute(sa.select(daily_score))
    assert (row.judged, row.score, row.coverage) == (0, None, 0)
