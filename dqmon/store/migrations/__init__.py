"""Alembic's scripts. `Database.migrate` runs them; nothing else imports them."""
