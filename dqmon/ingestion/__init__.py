"""Ingestion sources: one file a tool."""
