"""dqmon: a data-quality and observability monitoring daemon."""
