"""Other projects' checkpoints, read without running anything in them."""
