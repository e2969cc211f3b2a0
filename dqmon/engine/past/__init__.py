"""The past: measured after the fact, judged anew, and read back from the store."""
