"""The store's versions: made, kept, compared, refused."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import dqmon.store
from dqmon.errors import StoreError
from dqmon.store import meta, versions
from dqmon.store.database import Database
from dqmon.store.schema import metadata

for module in pkgutil.iter_modules(dqmon.store.__path__):
    if not module.ispkg:
        importlib.import_module(f"dqmon.store.{module.name}")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else request.getfixturevalue("postgres_database")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url)
    yield made
    made.close()


def set_version(database: Database, version: str) -> None:
    with database.write() as connection:
        connection.execute(sa.text(f"update {versions.VERSION_TABLE} set version_num = :version"), {"version": version})


def test_the_migrated_store_is_what_the_code_declares(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database.prepare()
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": versions.VERSION_TABLE, "compare_type": True})
        differences = compare_metadata(context, metadata)
        wheres = _index_conditions(connection)
    assert differences == [], "write a migration that makes these changes"
    with database.write() as connection:
        connection.execute(sa.text("drop view dq_daily_score"))
        metadata.drop_all(connection)
        metadata.create_all(connection)
    with database.read() as connection:
        assert _index_conditions(connection) == wheres, "alembic compares no conditions of indexes, so this does"


def _index_conditions(connection: sa.Connection) -> list[tuple[str, str]]:
    if connection.dialect.name == "sqlite":
        query = "select name, sql from sqlite_master where type = 'index' and sql like '%WHERE%' order by name"
    else:
        query = "select indexname, indexdef from pg_indexes where indexdef like '%WHERE%' order by indexname"
    found = [(name, sql.split("WHERE")[1].strip()) for name, sql in connection.execute(sa.text(query))]
    assert found, "there are partial indexes"
    return found


def test_migrating_twice_changes_nothing(database: Database) -> None:
    assert database.migrate() == (None, versions.head())
    with database.write() as connection:
        meta.put(connection, "kept", "yes")
    assert database.migrate() == (versions.head(), versions.head())
    database.prepare()
    with database.read() as connection:
        assert meta.get(connection, "kept") == "yes"


def test_a_store_that_is_behind_must_be_migrated_by_hand(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.prepare()
    monkeypatch.setattr(versions, "known", lambda: ("0001", "0002"))
    with pytest.raises(StoreError, match=r"version 0001 and this dqmon needs 0002; run `dqmon migrate`"):
        database.prepare()


def test_a_newer_store_is_left_alone(database: Database) -> None:
    database.prepare()
    set_version(database, "9999")
    for step in (database.prepare, database.migrate):
        with pytest.raises(StoreError, match=r"version 9999, made by a newer dqmon.*upgrade dqmon"):
            step()


def test_two_first_starts_at_once_make_one_store(url: str) -> None:
    barrier, failures = threading.Barrier(3), []

    def start() -> None:
        database = Database(url)
        barrier.wait()
        try:
            database.prepare()
        except StoreError as e:
            failures.append(e)
        database.close()

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert not any(thread.is_alive() for thread in threads)


def test_a_migration_that_breaks_leaves_the_store_empty(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.write() as connection:
        connection.execute(sa.text("create table dq_results (id integer)"))
    with pytest.raises(StoreError, match=r"dq_results.* already exists"):
        database.prepare()
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["dq_results"], "all of a migration or nothing"


def test_an_up_to_date_store_is_opened_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    made = Database(url)
    made.prepare()
    made.close()
    code = f"import sys; from dqmon.store.database import Database; Database({url!r}).prepare(); print('alembic' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(dqmon.__file__).parents[1])
    assert ran.stdout.strip() == "False"


def test_the_wheel_has_the_scripts(tmp_path: Path) -> None:
    project = Path(dqmon.__file__).parents[1]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, capture_output=True, check=True, cwd=project)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    scripts = {path.relative_to(project).as_posix() for path in versions.MIGRATIONS.rglob("*.py")}
    assert len(scripts) >= 4
    assert scripts <= set(names)


def test_versions_are_numbered_without_gaps() -> None:
    assert versions.known() == tuple(f"{n:04}" for n in range(1, len(versions.known()) + 1))
