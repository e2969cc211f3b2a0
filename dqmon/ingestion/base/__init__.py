"""What ingestion sources are made of; not an extension itself."""
