"""A logger that says nothing, for the vendors' clients."""

from __future__ import annotations

import logging

SILENT = logging.Logger("dqmon.vendor", logging.CRITICAL + 1)  # noqa: LOG001 - no setting may make it speak
"""Vendors log bodies, and a webhook's URL is a secret; what matters is in the errors that are raised."""
