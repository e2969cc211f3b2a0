"""The command line: one file a command. Each parses, calls `dqmon.app`, prints, and returns an exit code."""
