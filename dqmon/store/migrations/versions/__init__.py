"""One file a version, `v<number>_<what>.py`; a released one never changes."""
