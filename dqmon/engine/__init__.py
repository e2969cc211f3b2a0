"""The use cases. Those that a command or the tick calls stand here; what they are made of stands in the folders."""
