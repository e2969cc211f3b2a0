"""What a store says that cannot be reached, read or written: one StoreError, one line, no password."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from patience import PATIENCE_S

from dqmon.errors import StoreError
from dqmon.store import meta
from dqmon.store.database import Database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A migrated SQLite store."""
    database = Database(f"sqlite:///{tmp_path}/store.db")
    database.prepare()
    database.close()
    return tmp_path / "store.db"


def failure(url: str) -> str:
    """What a write and a read to `url` say; both must fail in the same words."""
    database = Database(url)
    with pytest.raises(StoreError) as caught, database.write() as connection:
        meta.put(connection, "a", "b" * 10)
    database.close()
    text = str(caught.value)
    assert "\n" not in text, "one line, fit for a log and a terminal"
    return text


@pytest.mark.parametrize("mode", ["mode=ro", "immutable=1"])
def test_a_read_only_sqlite_store_can_be_read_and_says_that_it_cannot_be_written(file: Path, mode: str) -> None:
    url = f"sqlite:///file:{file}?{mode}&uri=true"
    database = Database(url)
    with database.read() as connection:
        assert meta.get(connection, "a") is None
    database.close()
    assert "it is read-only; give this user the right to write the file" in failure(url)


def test_a_full_sqlite_store_says_so_and_keeps_what_it_had(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    with database.write() as connection:
        meta.put(connection, "before", "kept")
        connection.exec_driver_sql(f"PRAGMA max_page_count = {connection.exec_driver_sql('PRAGMA page_count').scalar_one()}")
    with pytest.raises(StoreError, match="the disk is full"), database.write() as connection:
        meta.put(connection, "big", "x" * 1_000_000)
    with database.read() as connection:
        assert meta.get(connection, "before") == "kept"
        assert meta.get(connection, "big") is None
    database.close()


def test_a_store_that_another_process_writes_is_waited_for_and_then_named(file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin immediate")
    database = Database(f"sqlite:///{file}?timeout=0.1")
    with database.read() as connection:
        assert meta.get(connection, "a") is None, "reading never waits for a writer"
    database.close()
    assert "another process has been writing for too long" in failure(f"sqlite:///{file}?timeout=0.1")
    other.execute("rollback")
    other.close()


def test_a_thread_that_waits_too_long_for_another_one_says_so(file: Path) -> None:
    database = Database(f"sqlite:///{file}?timeout=0.1")
    holds, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with database.write():
            holds.set()
            may_go.wait(PATIENCE_S)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holds.wait(PATIENCE_S)
    with pytest.raises(StoreError, match="another thread has been writing"), database.write():
        pass
    may_go.set()
    thread.join()
    database.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("to do\n" * 100)
    assert "the file is no SQLite database" in failure(f"sqlite:///{tmp_path}/notes.txt")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert f"the folder {tmp_path}/file/deep cannot be made" in failure(f"sqlite:///{tmp_path}/file/deep/store.db")


def test_a_store_that_is_a_folder_cannot_be_opened(tmp_path: Path) -> None:
    assert "the file cannot be opened" in failure(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://me:canary@127.0.0.1:1/x", "postgresql://me@127.0.0.1:1/x?password=canary&sslpassword=canary"]
)
def test_an_unreachable_server_is_named_without_the_password(url: str) -> None:
    text = failure(url)
    assert "127.0.0.1:1/x" in text
    assert "it cannot be reached; check host, port" in text
    assert "canary" not in text + repr(Database(url))


def test_a_missing_database_is_named(postgres_url: str) -> None:
    text = failure(sa.make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False))
    assert "the database does not exist; create it" in text or '"nowhere" does not exist' in text


def test_a_read_only_role_is_named(postgres_database: str) -> None:
    database = Database(postgres_database)
    database.prepare()
    with database.write() as connection:
        connection.execute(sa.text("create role reader_of_dqmon login"))
        connection.execute(sa.text("grant select on all tables in schema public to reader_of_dqmon"))
    text = failure(sa.make_url(postgres_database).set(username="reader_of_dqmon").render_as_string(hide_password=False))
    assert "the role may not do this" in text
    with database.write() as connection:
        connection.execute(sa.text("drop owned by reader_of_dqmon"))
        connection.execute(sa.text("drop role reader_of_dqmon"))
    database.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "not a database URL"),
        ("dqmon.db", "not a database URL"),
        ("sqlite:/x.db", "not a database URL"),
        ("postgresql://h:port/x", "not a database URL"),
        ("sqlit:///x.db", "unknown scheme 'sqlit'"),
        ("mysql://h/x", "unknown scheme 'mysql'"),
        ("postgresql+psycopg2://h/x", r"unknown scheme 'postgresql\+psycopg2'"),
        ("duckdb:///x.db", "unknown scheme 'duckdb'"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:////x.db?timeout=soon", "timeout 'soon' is no number"),
    ],
)
def test_a_wrong_url_says_what_is_possible(url: str, words: str) -> None:
    with pytest.raises(StoreError, match=words) as caught:
        Database(url)
    assert "sqlite:///path/to/file.db or postgresql+psycopg://user@host/database" in str(caught.value)


def test_connections_of_the_server_are_named_dqmon(postgres_database: str) -> None:
    database = Database(postgres_database)
    with database.read() as connection:
        assert connection.scalar(sa.text("select application_name from pg_stat_activity where pid = pg_backend_pid()")) == "dqmon"
    database.close()
