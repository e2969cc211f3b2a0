"""One file a detector: history in, expected band out. Pure."""
