"""A package outside of dqmon brings one extension of each kind; both are built, installed and run as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CONFIG = """\
version: 1
instance: outside
store: {{url: "sqlite:///{folder}/store.db"}}
warehouses:
  files: {{type: csv_folder, path: "{folder}/data"}}
ingestion:
  jobs: {{type: journal, path: "{folder}/journal.jsonl"}}
channels:
  log: {{type: text_file, path: "{folder}/messages.txt"}}
routes:
  - {{name: all, default: true, to: [log]}}
"""
CHECKS = """\
version: 1
ingestion:
  - pipeline: jobs/nightly
    checks:
      - last_success: {fail_after: 26h}
datasets:
  - dataset: people
    checks:
      - trimmed: {column: name}
      - row_count: {min: 1}
"""


def _run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment}
    )


def _must(*command: str | Path) -> None:
    done = _run(*command)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\nfailed:\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def dqmon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `dqmon` of a new environment that has the two wheels; third parties come from the tests' own environment."""
    folder = tmp_path_factory.mktemp("environment")
    for project in (ROOT, ROOT / "tests" / "outside"):
        _must(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "wheels", project)
    uv = Path(sys.executable).parent / "uv"
    _must(uv, "venv", "--offline", "--python", sys.executable, folder / "venv")
    python = folder / "venv" / "bin" / "python"
    _must(uv, "pip", "install", "--offline", "--no-deps", "--python", python, *sorted((folder / "wheels").glob("*.whl")))
    site = next((folder / "venv" / "lib").glob("python3.*/site-packages"))
    (site / "third_parties.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "venv" / "bin" / "dqmon"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("config", "checks", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "config" / "dqmon.yaml").write_text(CONFIG.format(folder=tmp_path))
    (tmp_path / "checks" / "people.yaml").write_text(CHECKS)
    (tmp_path / "data" / "people.csv").write_text("id,name\n1,Ada\n2, Grace\n3,Edsger\n")
    finished = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    (tmp_path / "journal.jsonl").write_text(json.dumps({"pipeline": "nightly", "load_id": "1", "finished_at": finished, "rows": 3}) + "\n")
    return tmp_path


def test_a_check_type_a_warehouse_a_source_and_a_channel_from_outside(dqmon: Path, project: Path) -> None:
    done = _run(dqmon, "check", "--format", "json", "--config", project / "config" / "dqmon.yaml")
    assert done.returncode == 1, f"expected one failed check, got {done.returncode}:\n{done.stdout}{done.stderr}"
    found = {item["check_id"]: item for item in json.loads(done.stdout)["results"]}
    assert {check: item["verdict"] for check, item in found.items()} == {
        "main.people.trimmed.name": "fail",
        "main.people.row_count": "pass",
        "jobs/nightly.last_success": "pass",
    }
    assert found["main.people.trimmed.name"]["observed"]["value"] == 1
    assert found["main.people.trimmed.name"]["warehouse"] == "files"
    messages = (project / "messages.txt").read_text()
    assert messages.startswith("trigger warning "), messages
    assert "people" in messages


def _other_package(folder: Path, name: str, entry_points: str) -> str:
    """A folder for PYTHONPATH with an installed package that has these entry points."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    return str(folder)


@pytest.mark.parametrize(
    ("entry_points", "words"),
    [
        ("[dqmon.checks]\ntrimmed = twin.trimmed:Trimmed\n", ("twin", "trimmed", "dqmon-outside-example", "uninstall one")),
        ("[dqmon.checks]\nrow_count = twin.rows:Rows\n", ("twin", "row_count", "dqmon itself", "uninstall one")),
        ("[dqmon.channels]\ntext_file2 = twin.missing:Channel\n", ("twin", "text_file2", "cannot be imported", "No module named")),
    ],
    ids=["a name twice", "a name of dqmon's own", "a broken import"],
)
def test_a_bad_extension_stops_the_start_with_a_clear_error(dqmon: Path, project: Path, entry_points: str, words: tuple[str, ...]) -> None:
    path = _other_package(project / "twin", "twin", entry_points)
    config = project / "config" / "dqmon.yaml"
    config.write_text(
        config.read_text().replace("type: text_file,", "type: text_file2,") if "text_file2" in entry_points else config.read_text()
    )
    done = _run(dqmon, "check", "--config", config, PYTHONPATH=path)
    assert done.returncode == 2, f"expected a refusal, got {done.returncode}:\n{done.stdout}{done.stderr}"
    assert all(word in done.stderr for word in words), f"the message lacks one of {words}:\n{done.stderr}"
    assert "Traceback" not in done.stderr
