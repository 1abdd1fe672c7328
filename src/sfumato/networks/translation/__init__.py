"""Networks from one kind of picture to another, and discriminators of patches."""
