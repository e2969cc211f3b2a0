"""What would be said, and to whom: configurations replayed on the past, and rules on values from a file."""
