"""What the channels share: texts made safe, the table of outcomes."""
