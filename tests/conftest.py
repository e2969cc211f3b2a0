"""Real servers for the tests, on loopback or a unix socket only."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import hypothesis
import pytest
import sqlalchemy as sa
from engines import engine

# Hundreds of processes are started, each of which would compile all that it imports, for a third of its time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes depends on what else the machine does; where time matters, a test measures CPU.
hypothesis.settings.register_profile("dqmon", deadline=None)
hypothesis.settings.load_profile("dqmon")


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], str]]:
    """The running server of an engine, by its kind: started when it is first asked for, of this test process alone."""
    with ExitStack() as stack:

        @cache
        def server_of(kind: str) -> str:
            found = engine(kind)
            if (reason := found.why_not()) is not None:
                pytest.skip(reason)
            return stack.enter_context(found.server())

        yield server_of


@pytest.fixture(scope="session")
def postgres_url(servers: Callable[[str], str]) -> str:
    """A running PostgreSQL of this test process alone: the URL of its `postgres` database."""
    return servers("postgres").replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of a fresh, empty database; dropped afterwards, connections and all."""
    name = f"t{uuid.uuid4().hex}"
    engine = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"create database {name}"))
    yield sa.make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"drop database {name} with (force)"))
    engine.dispose()
