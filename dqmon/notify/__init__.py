"""Channels: one file each renders a message (pure) and sends it (one request, no retries)."""
