"""What a check costs where the data costs nothing: many small tables, ten checks each. `-s` prints the figures and where the CPU goes."""

from __future__ import annotations

import cProfile
import gc
import pstats
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from dqmon.__main__ import main  # its import sets the garbage collector as the command has it
from dqmon.app import App, new_id
from dqmon.config.project import load_project
from dqmon.core.selector import Selector
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.run import commit, evaluate

assert main is not None

GOAL_MS = 0.3
"""Per check, measuring and judging; printed, since a shared machine takes several times as long."""
TIMES_BY_HAND = {"DuckDB": 15.0, "PostgreSQL": 40.0}
"""What fails the test: this many times what the same questions take as statements written by hand, in the same minute.

By hand PostgreSQL's two statements of a table are six round trips and hardly any CPU, so that a busy machine tells more there.
"""
CHECKS = 10
ROWS = 1_000

COLUMNS = "order_id bigint, customer_id bigint, amount double precision, quantity integer, status varchar(20), email varchar(60)"
ROW = "i, mod(i, 97), i * 1.5, 1 + mod(i, 100), case mod(i, 3) when 0 then 'new' when 1 then 'paid' else 'sent' end, 'c' || i || '@example.com'"
ENTRY = """\
  - dataset: {table}
    checks:
      - row_count: {{min: 1}}
      - completeness: {{column: order_id}}
      - completeness: {{column: customer_id, fail_if: "> 5%"}}
      - completeness: {{column: email}}
      - uniqueness: {{column: order_id}}
      - range: {{column: amount, min: 0, max: 100000}}
      - range: {{column: quantity, min: 1, max: 100}}
      - accepted_values: {{column: status, values: [new, paid, sent]}}
      - pattern: {{column: email, regex: "^[^@ ]+@[^@ ]+$"}}
      - length: {{column: status, max: 20}}
"""
BY_HAND = (
    (
        "select count(*), count(*) filter (where order_id is null), count(*) filter (where customer_id is null), "
        "count(*) filter (where email is null), count(*) filter (where amount < 0 or amount > 100000), "
        "count(*) filter (where quantity < 1 or quantity > 100), count(*) filter (where status not in ('new', 'paid', 'sent')), "
        "count(*) filter (where not {matches}), count(*) filter (where length(status) > 20) from {table}"
    ),
    "select count(*) - count(distinct order_id) from {table}",
)


@dataclass
class Lab:
    """A project of small tables in one engine; profiled where the caller's thread does the work."""

    root: Path
    warehouse: str
    matches: str
    engine: sa.Engine
    is_profiled: bool
    tables: list[str] = field(default_factory=list)

    def fill(self, count: int) -> None:
        self.tables = [f"orders_{number}" for number in range(count)]
        rows = "generate_series(1, 1000) s(i)"
        with self.engine.begin() as connection:
            for table in self.tables:
                connection.exec_driver_sql(f"create table {table} ({COLUMNS})")
                connection.exec_driver_sql(f"insert into {table} select {ROW} from {rows}")
        for folder in ("config", "checks"):
            (self.root / folder).mkdir(exist_ok=True)
        (self.root / "config/dqmon.yaml").write_text(f"version: 1\nwarehouses:\n  main: {self.warehouse}\n")
        entries = "".join(ENTRY.format(table=table) for table in self.tables)
        (self.root / "checks/tiny.yaml").write_text(f"version: 1\ndatasets:\n{entries}")

    def by_hand(self) -> int:
        """The same answers by two statements a table, one transaction each."""
        bad = 0
        with self.engine.connect() as connection:
            for table in self.tables:
                for text in BY_HAND:
                    row = connection.execute(sa.text(text.format(table=table, matches=self.matches))).one()
                    bad += sum(row[1:]) if len(row) > 1 else row[0]
                    connection.rollback()
        return bad


@pytest.fixture
def duckdb_lab(tmp_path: Path) -> Iterator[Lab]:
    path = tmp_path / "w.duckdb"
    duckdb.connect(str(path)).close()
    engine = sa.create_engine(f"duckdb:///{path}", poolclass=sa.NullPool)
    yield Lab(tmp_path, "{type: duckdb, path: w.duckdb}", "regexp_matches(email, '^[^@ ]+@[^@ ]+$')", engine, is_profiled=True)
    engine.dispose()


@pytest.fixture
def postgres_lab(tmp_path: Path, postgres_database: str) -> Iterator[Lab]:
    engine = sa.create_engine(postgres_database)
    url = postgres_database.replace("postgresql+psycopg://", "postgresql://")
    yield Lab(tmp_path, f"{{type: postgres, url: '{url}'}}", "email ~ '^[^@ ]+@[^@ ]+$'", engine, is_profiled=False)
    engine.dispose()


@dataclass
class Clock:
    """Wall and CPU seconds of named steps."""

    wall: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall[step], self.cpu[step] = time.perf_counter() - wall, time.process_time() - cpu


def run_once(lab: Lab, around: Callable[[Callable[[], None]], None]) -> Clock:
    """One run of all checks on an empty store, the steps timed apart; all of it has been imported before."""
    clock = Clock()
    app = App(load_project(lab.root / "config/dqmon.yaml", {}), lambda: datetime.now(UTC))
    with app:
        environment = app.environment
        tasks = tuple(Task(check, environment.clock()) for check in app.select(Selector()))
        run = Run(new_id())

        def steps() -> None:
            with clock.of("measure and judge"):
                outcome = evaluate(environment, run, tasks)
            bad = [result for result in outcome.results if result.verdict.is_bad]
            assert len(outcome.results) == len(lab.tables) * CHECKS
            assert not bad, bad[0].reason
            with clock.of("store"), environment.database.write() as connection:
                commit(connection, (outcome,), environment.clock())

        around(steps)
    return clock


def profiled(work: Callable[[], None]) -> None:
    """Runs it, then prints where its time went."""
    profile = cProfile.Profile()
    profile.runcall(work)
    stats = pstats.Stats(profile)
    rows = stats.stats  # type: ignore[attr-defined]  # not in the stubs
    total = stats.total_tt  # type: ignore[attr-defined]
    names = {
        "looking up": ("planning.py", "look_up"),
        "planning": ("plan.py", "plan"),
        "building statements": ("compile.py", "compile_scan"),
        "texts of statements": ("text.py", "literal_sql"),
        "statements": ("session.py", "fetch"),
        "decoding": ("compile.py", "decode"),
        "judging": ("judge.py", "judge"),
        "storing": ("run.py", "commit"),
    }
    spent = {
        step: sum(
            found[3] for (file, _, function), found in rows.items() if file.endswith(f"/{where}") and "dqmon" in file and function == name
        )
        for step, (where, name) in names.items()
    }
    print("where the CPU goes, under the profiler: " + ", ".join(f"{step} {share / total:.0%}" for step, share in spent.items()))


def measured(lab: Lab, count: int, name: str, rounds: int = 3) -> None:
    lab.fill(count)
    checks = count * CHECKS
    run_once(lab, lambda steps: steps())
    best: dict[str, float] = {}
    for _ in range(rounds):
        (lab.root / ".dqmon/dqmon.db").unlink()
        gc.collect()
        clock = run_once(lab, lambda steps: steps())
        with clock.of("by hand"):
            assert lab.by_hand() == 0
        for step, wall in clock.wall.items():
            best[step] = min(best.get(step, wall), wall)
            best[f"{step}, CPU"] = min(best.get(f"{step}, CPU", wall), clock.cpu[step])
    shown = ", ".join(f"{step} {1000 * spent / checks:.2f}" for step, spent in best.items())
    times = best["measure and judge"] / best["by hand"]
    print(f"\n{name}, {count} tables x {CHECKS} checks, ms per check: {shown}; {times:.1f} x by hand (goal {GOAL_MS} ms without the store)")
    if lab.is_profiled:
        (lab.root / ".dqmon/dqmon.db").unlink()
        run_once(lab, profiled)
    assert times <= TIMES_BY_HAND[name], f"found {times:.1f} x the statements by hand, expected at most {TIMES_BY_HAND[name]}"


def test_duckdb(duckdb_lab: Lab) -> None:
    measured(duckdb_lab, 20, "DuckDB")


def test_postgres(postgres_lab: Lab) -> None:
    measured(postgres_lab, 20, "PostgreSQL")


@pytest.mark.long
def test_duckdb_with_200_tables(duckdb_lab: Lab) -> None:
    measured(duckdb_lab, 200, "DuckDB")


@pytest.mark.long
def test_postgres_with_200_tables(postgres_lab: Lab) -> None:
    measured(postgres_lab, 200, "PostgreSQL")
