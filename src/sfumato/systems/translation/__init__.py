"""Image translation."""
