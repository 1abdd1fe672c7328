"""The systems: one paper, one file."""
