"""What several detectors share; not an extension itself."""
