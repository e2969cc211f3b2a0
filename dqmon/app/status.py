"""How a project stands, also while its files are wrong: that is when people ask."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dqmon.app.parts import Clock, utc_now
from dqmon.config.project import Project, find_project, load_project, root_of
from dqmon.config.registries import Registries
from dqmon.config.settings_file import store_url
from dqmon.engine.status import Status, status
from dqmon.errors import ConfigError, Problem
from dqmon.store.database import Database


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a project.

    path: its dqmon.yaml. problems: why its files, as they are now, would be refused. warnings: how many there are otherwise.
    store: its URL without a password. status: None when nothing was ever kept there.
    """

    path: Path
    problems: tuple[Problem, ...]
    warnings: int
    store: str
    status: Status | None


def standing(config: str | None, clock: Clock = utc_now) -> Standing:
    """How the project stands that `config`, DQMON_CONFIG or the working folder names. Reads its files and the store, makes nothing.

    Raises ConfigError when the files do not even say where the store is, ExtensionError and StoreError.
    """
    path = find_project(config, os.environ, Path.cwd())
    project, problems, url = _read(path)
    with closing(Database(url)) as database:
        found = None
        if not database.is_new():
            database.prepare()
            with database.read() as connection:
                found = status(connection, project, clock())
    return Standing(path, problems, len(project.warnings) if project else 0, database.name, found)


def _read(path: Path) -> tuple[Project | None, tuple[Problem, ...], str]:
    """The project, or None with what is wrong in it; and where its store is."""
    try:
        project = load_project(path, os.environ)
    except ConfigError as e:
        url = store_url(path, root_of(path), os.environ, Registries())
        if url is None:
            raise
        return None, e.problems, url
    return project, (), project.settings.store_url
