"""Modules that two systems share, or that are too long for a page."""
