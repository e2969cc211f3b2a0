"""The types and protocols that all rooms share. Pure: no clock, no database, no network."""
