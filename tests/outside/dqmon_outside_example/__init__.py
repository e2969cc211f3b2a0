"""One extension of each kind, made with nothing but `dqmon.core`, `dqmon.errors` and SQLAlchemy."""
