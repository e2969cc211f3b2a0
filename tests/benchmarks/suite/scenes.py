"""What is measured: each scene is a contest with the goals that it answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import peers
import projects
import suite
from contest import Contestant, Figures, contest, python, start
from orders import TINY_ROWS, Orders
from scene import DQMON, HAND, Kind, Scene, Setup, faster, goal, hand, memory, ours, ratio
from unread import footers, nothing_changed, one_new_day


def whole_suite(setup: Setup, engine: str, target: object, project: Path, kind: Kind) -> tuple[dict[str, Figures], dict[str, str]]:
    """The 50 checks by hand, by dqmon and, where wanted, by the other tools that can; and why the others are absent."""
    expected = suite.planted(kind)
    contestants = [hand(engine, target, expected), ours(DQMON, project, expected)]
    absent: dict[str, str] = {}
    if setup.has_peers:
        able, absent = able_peers(setup, engine)
        checks = peers.write_checks(setup.work / "checks.json")
        contestants += [peer.contestant(engine, target, checks, expected) for peer in able]
    return contest(contestants, setup.rounds), absent


@cache
def able_peers(setup: Setup, engine: str) -> tuple[list[peers.Peer], dict[str, str]]:
    """The tools that judge a small database of the kind rightly, and what is in the way of the others."""
    small = setup.orders("planted", 20_000)
    checks = peers.write_checks(setup.work / "small.json")
    tried = peers.able(engine, small.duckdb() if engine == "duckdb" else small.postgres(setup.url), checks, suite.PLANTED)
    return [peer for peer, problem in tried.items() if not problem], {peer.name: problem for peer, problem in tried.items() if problem}


def duckdb_unique(setup: Setup) -> Scene:
    """No key is duplicated."""
    file = setup.orders("unique").duckdb()
    found, absent = whole_suite(setup, "duckdb", file, projects.duckdb(setup.work / "unique", file), "unique")
    what = "DuckDB suite, exact, keys unique"
    goals = [ratio(what, found, 0.65), memory("peak memory, DuckDB suite, keys unique", found)]
    if setup.has_peers:
        goals = [faster(what, found, "Soda 4", 2.3)]
    return Scene(f"{what}, {setup.rows:,} rows", found, tuple(goals), absent=absent)


def duckdb_planted(setup: Setup) -> Scene:
    """Two keys have duplicates, which must be verified."""
    file = setup.orders("planted").duckdb()
    found, absent = whole_suite(setup, "duckdb", file, projects.duckdb(setup.work / "planted", file), "planted")
    what = "DuckDB suite, duplicates present"
    goals = [ratio(what, found, 0.9), memory("peak memory, DuckDB suite, duplicates present", found)]
    if setup.has_peers:
        goals = [faster(what, found, "Soda 4", 1.7)]
    return Scene(f"{what}, {setup.rows:,} rows", found, tuple(goals), absent=absent)


def no_keys(setup: Setup) -> Scene:
    """The 44 checks that one plain aggregate can answer."""
    file, expected = setup.orders("planted").duckdb(), suite.planted("planted", "no_keys")
    project = projects.duckdb(setup.work / "no_keys", file)
    found = contest(
        [hand("duckdb", file, expected, "no_keys"), ours(DQMON, project, expected, "--part", "no_keys")],
        setup.rounds,
    )
    what = "44 checks without keys"
    return Scene(f"{what}, DuckDB, {setup.rows:,} rows", found, (ratio(what, found, 0.6),))


def postgres_planted(setup: Setup) -> Scene:
    """The suite on a table without constraints."""
    url = setup.postgres("planted")
    found, absent = whole_suite(setup, "postgres", url, projects.postgres(setup.work / "postgres", url), "planted")
    what = "PostgreSQL suite"
    goals = [ratio(what, found, 1.0)]
    if setup.has_peers:
        goals = [faster(what, found, "Soda 4", 2.2), faster(what, found, "Great Expectations", 4.7)]
    return Scene(f"{what}, {setup.postgres_rows:,} rows", found, tuple(goals), absent=absent)


def postgres_constrained(setup: Setup) -> Scene:
    """The suite on a table whose keys and NOT NULLs are declared."""
    url = setup.postgres("unique", is_constrained=True)
    found, absent = whole_suite(setup, "postgres", url, projects.postgres(setup.work / "constrained", url), "unique")
    what = "PostgreSQL suite, constraints prove the keys"
    goals = [faster(what, found, "Soda 4", 3.0) if setup.has_peers else ratio(what, found, 1.0)]
    return Scene(f"{what}, {setup.postgres_rows:,} rows", found, tuple(goals), absent=absent)


def start_to_exit(setup: Setup) -> Scene:
    """One check of a small table, as a command."""
    file = Orders(2_000, "clean", setup.data).duckdb()
    project = projects.duckdb(setup.work / "start", file)
    (project / "checks/orders.yaml").write_text("version: 1\ndatasets:\n  - {dataset: orders, checks: [row_count: {min: 1}]}\n")
    command = (sys.executable, "-m", "dqmon", "check", "--no-reuse", "--config", f"{project}/config/dqmon.yaml")
    start(Contestant("first", command))  # makes the store
    contestants = [Contestant(HAND, python("handwritten.py", "duckdb", file, "one")), Contestant(DQMON, command)]
    soda = next(peer for peer in peers.PEERS if peer.name == "Soda 4")
    what = "one check, start to exit, DuckDB"
    if setup.has_peers and not soda.install():
        checks = peers.write_checks(setup.work / "checks.json")
        made = Contestant("files", python("peer_soda4.py", "duckdb", file, checks, setup.work, "row_count.some", binary=soda.binary))
        assert not (problem := start(made).problem), problem
        words = ("contract", "verify", "--data-source", f"{setup.work}/source.yml", "--contract", f"{setup.work}/contract.yml")
        contestants.append(Contestant("Soda 4", (str(soda.folder / "bin/soda"), *words)))
    found = contest(contestants, max(setup.rounds, 7))
    mine = found[DQMON]

    def against_soda() -> tuple[str, bool]:
        times = mine.wall_s / found["Soda 4"].wall_s
        return f"{times:.2f} × ({mine.wall_s:.2f} s, {found['Soda 4'].wall_s:.2f} s)", times <= 1

    if setup.has_peers:
        return Scene(what, found, (goal(what, "≤ 1.0 × Soda 4's command", found, against_soda, other="Soda 4"),))
    met = goal(what, "≤ 0.6 s (what Soda 4 took)", found, lambda: (f"{mine.wall_s:.2f} s", mine.wall_s <= 0.6))
    return Scene(what, found, (met,))


def tiny_duckdb(setup: Setup) -> Scene:
    """Where the data costs nothing: 200 tables of 1,000 rows, ten checks each."""
    file = setup.orders("clean", TINY_ROWS).tiny()
    return tiny(setup, "duckdb", file, projects.duckdb(setup.work / "tiny_duckdb", file))


def tiny_postgres(setup: Setup) -> Scene:
    """As in DuckDB."""
    url = setup.postgres("clean", TINY_ROWS)
    return tiny(setup, "postgres", url, projects.postgres(setup.work / "tiny_postgres", url))


def tiny(setup: Setup, engine: str, target: object, project: Path) -> Scene:
    """One contest of many small tables; other tools keep no results, so dqmon also runs without its store."""
    projects.tiny(project)
    expected, words = frozenset[str](), ("--no-reuse",)
    stored = "dqmon with its store"
    contestants = [
        hand(engine, target, expected, "tiny"),
        ours(DQMON, project, expected, *words, "--no-store"),
        ours(stored, project, expected, *words),
    ]
    absent: dict[str, str] = {}
    if setup.has_peers:
        able, absent = able_peers(setup, engine)
        checks = peers.write_checks(setup.work / "tiny.json", "tiny")
        contestants += [peer.contestant(engine, target, checks, expected) for peer in able]
    found = contest(contestants, setup.rounds)
    count = suite.TABLES * len(suite.TINY)
    each_ms = {name: 1000 * figures.work_s / count for name, figures in found.items() if not figures.problem}
    what = f"tiny tables, {'DuckDB' if engine == 'duckdb' else 'PostgreSQL'}"
    goals = [goal(what, "≤ 0.3 ms per check", found, lambda: (f"{each_ms[DQMON]:.2f} ms", each_ms[DQMON] <= 0.3))]
    if setup.has_peers:
        goals = [faster(what, found, name, least) for name, least in (("Soda 3", 4.5), ("Soda 4", 4.5), ("Great Expectations", 25))]
    note = "ms per check: " + ", ".join(f"{name} {ms:.2f}" for name, ms in each_ms.items())
    return Scene(f"{what}: {suite.TABLES} of {TINY_ROWS:,} rows, 10 checks each", found, tuple(goals), note=note, absent=absent)


SCENES: Mapping[str, Callable[[Setup], Scene]] = {
    "duckdb_unique": duckdb_unique,
    "duckdb_planted": duckdb_planted,
    "no_keys": no_keys,
    "postgres_planted": postgres_planted,
    "postgres_constrained": postgres_constrained,
    "nothing_changed": nothing_changed,
    "one_new_day": one_new_day,
    "footers": footers,
    "tiny_duckdb": tiny_duckdb,
    "tiny_postgres": tiny_postgres,
    "start_to_exit": start_to_exit,
}
PEER_SCENES = tuple(name for name in SCENES if name not in ("no_keys", "nothing_changed", "one_new_day", "footers"))
