"""From scans to SELECTs: SQLAlchemy Core only, engines differ by `@compiles` overrides only."""
