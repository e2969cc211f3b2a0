"""All check files of a project: which they are, and what they declare."""

from __future__ import annotations

import os
from pathlib import Path

from dqmon.config.check_file import Entry, declared
from dqmon.config.exposures import declared_exposures
from dqmon.config.registries import Registries
from dqmon.config.report import Report, shown_path
from dqmon.config.settings_file import SettingsFile
from dqmon.config.yaml_lines import read_yaml

MAX_TOTAL_BYTES = 20_000_000
"""All check files together."""


def read_check_files(root: Path, file: SettingsFile, known: Registries, report: Report) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """Those with checks, and the exposures, of all check files."""
    folder = root / file.keys.checks_path
    shown = shown_path(folder, root)
    if not folder.is_dir():
        report.error(
            file.data.lines.get("checks_path"), f"there is no folder {shown}/", "make it and write a check file, or set checks_path:"
        )
        return (), ()
    entries: list[Entry] = []
    exposures: list[Entry] = []
    total, known_errors = 0, len(report.errors)
    paths = [path for path in yaml_files(folder, report) if path.relative_to(folder).parts[0] != "tests"]
    for path in paths:
        own = report.of(shown_path(path, root))
        if not path.resolve().is_relative_to(root.resolve()):
            own.error(None, "the file is a link that leads out of the project", "copy it into the project")
            continue
        total += path.stat().st_size
        if total > MAX_TOTAL_BYTES:
            own.error(None, f"the check files have more than {MAX_TOTAL_BYTES:,} bytes in all", "remove some")
            break
        if (data := read_yaml(path, own)) is not None:
            entries.extend(declared(data, own, known.checks))
            exposures.extend(declared_exposures(data, own))
    if not paths and len(report.errors) == known_errors:
        report.error(None, f"there are no check files (*.yaml, *.yml) in {shown}/", f"write {shown}/first.yaml")
    return tuple(entries), tuple(exposures)


def yaml_files(folder: Path, report: Report) -> list[Path]:
    """All YAML files below the folder by name, but what is hidden (Kubernetes keeps its mounts' copies there).

    A folder that cannot be read is an error: checks that nobody sees would pass for removed ones.
    """

    def refuse(error: OSError) -> None:
        path = Path(error.filename)
        report.of(str(path)).error(None, f"the folder cannot be read: {error.strerror}", "give this user the right to read it")

    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if name.endswith((".yaml", ".yml")) and not name.startswith(".")]
    return sorted(path for path in found if path.is_file())
