"""Measurements and what is known besides in, verdicts out."""
