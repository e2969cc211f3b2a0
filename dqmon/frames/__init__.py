"""The declared checks on pandas and polars frames, before they are loaded."""
