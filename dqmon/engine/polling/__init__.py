"""What loading tools have left behind: read, kept, and made one graph with what the check files say."""
