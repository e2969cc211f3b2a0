"""The benchmark's suite on small tables: verdicts, values and statements are asserted; ratios are printed, `make bench` has the real ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "suite"))
import projects
import scene
import suite
import unread
from contest import Figures, contest
from dqmon_inside import run
from orders import Orders

from dqmon.config.project import load_project
from dqmon.engine.measuring.ways import WAYS

ROWS = 200_000
FEW = 20_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(params=["duckdb", "parquet", "postgres"])
def project(request: pytest.FixtureRequest, made: Path, tmp_path: Path) -> Iterator[Path]:
    """A project on planted orders; dropped with what was made for it."""
    data = Orders(FEW, "planted", made)
    match request.param:
        case "duckdb":
            yield projects.duckdb(tmp_path, data.duckdb())
        case "parquet":
            yield projects.parquet(tmp_path, data.parquet())
        case _:
            url = request.getfixturevalue("postgres_url").replace("postgresql+psycopg://", "postgresql://")
            yield projects.postgres(tmp_path, data.postgres(url))


def observed(project: Path, ways: tuple[str, ...] = WAYS) -> dict[str, list[object]]:
    projects.forget(project)
    found, results = run(project, ways=ways)
    assert found.failed == suite.PLANTED, f"found {sorted(found.failed ^ suite.PLANTED)} judged wrongly with the rewrites {ways}"
    return {record.check_id.partition("orders.")[2]: [record.verdict, record.observed_value] for record in results}


@pytest.fixture(scope="module")
def truth(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    """What plain statements find in the DuckDB file."""
    return observed(projects.duckdb(tmp_path_factory.mktemp("truth"), Orders(FEW, "planted", made).duckdb()), ways=())


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table counts as large, so that all rewrites are worth their statements."""
    monkeypatch.setattr("dqmon.engine.measuring.ways.way.LARGE", 1)
    monkeypatch.setattr("dqmon.warehouses.postgres.WORTH_DISTINCT", 1)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("ways", [WAYS, ()], ids=["all rewrites", "plain"])
def test_planted_defects_are_found_and_numbers_are_the_same_everywhere(
    project: Path, ways: tuple[str, ...], truth: dict[str, list[object]]
) -> None:
    found = observed(project, ways)
    differing = unread.different(truth, found)
    assert not differing, f"found other values than plain statements on DuckDB: {[(c, truth[c], found[c]) for c in differing]}"


def test_nothing_is_read_again_while_nothing_changes(project: Path) -> None:
    first, _ = run(project)
    again, _ = run(project)
    assert (first.statements > 0, again.statements) == (True, 0), "found data statements although nothing changed"
    assert again.failed == first.failed == suite.PLANTED


@pytest.mark.parametrize("kind", ["unique", "clean"])
def test_other_kinds_of_orders_fail_as_planned(made: Path, tmp_path: Path, kind: scene.Kind) -> None:
    found, _ = run(projects.duckdb(tmp_path, Orders(FEW, kind, made).duckdb()))
    assert found.failed == suite.planted(kind)


def test_constrained_keys_in_postgres(made: Path, tmp_path: Path, postgres_url: str) -> None:
    url = postgres_url.replace("postgresql+psycopg://", "postgresql://")
    found, _ = run(projects.postgres(tmp_path, Orders(FEW, "unique", made).postgres(url, is_constrained=True)))
    assert found.failed == suite.planted("unique")
    assert found.statements <= 3, f"found {found.statements} statements, expected the constraints to answer for the keys"


def test_plain_statements_are_fused(made: Path, tmp_path: Path) -> None:
    found, _ = run(projects.duckdb(tmp_path, Orders(FEW, "planted", made).duckdb()), ways=())
    assert found.statements == 7, f"found {found.statements} statements, expected 1 for 44 checks, 5 for keys and 1 for the other table"


def test_the_check_file_is_the_suite(made: Path, tmp_path: Path) -> None:
    project = load_project(projects.duckdb(tmp_path, Orders(FEW, "planted", made).duckdb()) / "config/dqmon.yaml", {})
    names = [check.name for check in suite.checks()]
    assert sorted(check.id.partition("orders.")[2] for check in project.checks) == sorted(names)
    assert [len(suite.checks(part)) for part in ("suite", "no_keys", "footers")] == [50, 44, 33]
    assert set(names) >= suite.PLANTED


def test_ratios_to_the_hand_written_statements(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = Orders(ROWS, "planted", made).duckdb()
    project = projects.duckdb(tmp_path, file)
    found = contest([scene.hand("duckdb", file, suite.PLANTED), scene.ours(scene.DQMON, project, suite.PLANTED)], 1)
    for figures in found.values():
        assert not figures.problem, figures.problem
    with capsys.disabled():
        print(f"\n50 checks of {ROWS:,} rows, DuckDB: {' against '.join(map(shown, found.values()))}")


def shown(figures: Figures) -> str:
    name, times = figures.contestant.name, f"{figures.work_s:.2f} s, {figures.work_cpu_s:.2f} s CPU"
    return f"{name} {times}, {figures.peak_mb:.0f} MB, {figures.statements} statements"
