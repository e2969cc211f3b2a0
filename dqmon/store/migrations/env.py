"""Alembic runs this: the migrations work on the connection, and in the transaction, that `Database.migrate` gives."""

from alembic import context

from dqmon.store.versions import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
