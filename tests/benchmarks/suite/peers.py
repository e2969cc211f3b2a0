"""The other tools: each in a virtual environment of its own, made on the first run, and tried before it competes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import suite
from contest import Contestant, python, start

FOLDER = Path(".bench")


@dataclass(frozen=True)
class Peer:
    """A tool, what pip installs for it, and which distribution its version is taken from."""

    name: str
    script: str
    packages: tuple[str, ...]
    distribution: str

    @property
    def folder(self) -> Path:
        """Its virtual environment."""
        return (FOLDER / self.script.removeprefix("peer_").removesuffix(".py")).absolute()

    @property
    def binary(self) -> Path:
        """Its Python."""
        return self.folder / "bin/python"

    def install(self) -> str:
        """Makes its environment if there is none; why that failed, empty when it is there."""
        if self.versions().get(self.distribution):
            return ""
        subprocess.run([sys.executable, "-m", "venv", str(self.folder)], check=True)
        command = [str(self.binary), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *self.packages]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=1_200)
        return "" if done.returncode == 0 else f"not installed: {' '.join(done.stderr.split())[-300:]}"

    def versions(self) -> dict[str, str]:
        """The versions of the tool and of DuckDB in its environment."""
        places = [str(path) for path in self.folder.glob("lib/python*/site-packages")]
        found = metadata.distributions(path=places) if places else ()
        return {item.name: item.version for item in found if item.name in (self.distribution, "duckdb")}

    def contestant(self, engine: str, target: object, checks: Path, expected: frozenset[str]) -> Contestant:
        """The tool on one database."""
        return Contestant(self.name, python(self.script, engine, target, checks, binary=self.binary), expected)


PEERS = (
    Peer("Soda 3", "peer_soda3.py", ("soda-core-duckdb>=3,<4", "soda-core-postgres>=3,<4"), "soda-core"),
    Peer("Soda 4", "peer_soda4.py", ("soda-duckdb>=4,<5", "soda-postgres>=4,<5"), "soda-core"),
    Peer(
        "Great Expectations",
        "peer_gx.py",
        ("great_expectations>=1,<2", "psycopg2-binary", "duckdb-engine", "duckdb"),
        "great_expectations",
    ),
)


def write_checks(file: Path, part: str = "suite") -> Path:
    """The checks of a part by table for the other tools' programs, as JSON."""
    tables = {
        table: [{"type": c.type, "name": c.name, "columns": c.columns, "options": c.options} for c in checks]
        for table, checks in suite.tables(part).items()
    }
    file.write_text(json.dumps(tables))
    return file


def able(engine: str, target: object, checks: Path, expected: frozenset[str]) -> Mapping[Peer, str]:
    """Each tool with what is in its way, empty for those that judge a small database of the kind rightly."""
    found: dict[Peer, str] = {}
    for peer in PEERS:
        found[peer] = peer.install() or start(peer.contestant(engine, target, checks, expected)).problem
    return found
