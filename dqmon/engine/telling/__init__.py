"""Step 2 and the outbox: alerts become incidents, incidents groups, groups messages, and messages are sent, or it is kept why not."""
