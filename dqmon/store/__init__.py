"""Where dqmon remembers: one file an aggregate, plain functions that take a connection first."""
