"""The use cases: measure and judge (run), tell (notify, deliver), read (explain), keep (poll, retention)."""
