"""What other tools take from dqmon; one file a format."""
