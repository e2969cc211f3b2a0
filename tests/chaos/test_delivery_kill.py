"""R13: senders killed at any moment lose nothing, open no second incident and leave none open."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "kill_senders.py"
ROOT = PROGRAM.parent.parent.parent


def run_cycles(store_url, cycles, seed):
    done = subprocess.run(
        [sys.executable, str(PROGRAM), store_url, str(cycles), str(seed)],
        capture_output=True,
        text=True,
        timeout=60 + cycles,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    print(store_url.split(":")[0], found)
    return found


def check(found):
    assert found["kills"] == 2 * found["cycles"], "each cycle must kill both of its senders while they run"
    assert found["cut_off"] > found["cycles"] / 20, f"hardly any kill met a delivery under way, so little was tested: {found}"
    assert found["incidents"] >= found["cycles"], f"an incident a cycle is expected: {found}"
    wrong = {key: found[key] for key in ("lost", "duplicate_incidents", "left_open") if found[key]}
    assert not wrong, f"every trigger and resolve must arrive, once, in order; found {wrong} in {found}"


def test_killed_senders_on_sqlite(tmp_path):
    check(run_cycles(f"sqlite:///{tmp_path}/store.db", 30, 1))


def test_killed_senders_on_postgres(postgres_database):
    check(run_cycles(postgres_database, 40, 2))


@pytest.mark.long
@pytest.mark.parametrize("cycles", [200, 1_000])
def test_killed_senders_on_postgres_long(postgres_database, cycles):
    found = run_cycles(postgres_database, cycles, 3)
    check(found)
    assert cycles > 200 or found["seconds"] <= 60, f"200 cycles must fit into a CI run of 60 s: {found}"


@pytest.mark.long
def test_killed_senders_on_sqlite_long(tmp_path):
    check(run_cycles(f"sqlite:///{tmp_path}/store.db", 200, 4))
