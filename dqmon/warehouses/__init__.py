"""One file an engine: its options, its capabilities, its catalogue; what they share is in `base`."""
