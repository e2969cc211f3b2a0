"""Metric requests in, measurements out: by the fewest statements, within budgets, past warehouses that do not answer."""
