"""Networks that enlarge and restore, and how the small pictures are made."""
