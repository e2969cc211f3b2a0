"""The web endpoint: what jobs tell of themselves, and probes. It reads and writes the store, never a warehouse."""
