"""Generators and discriminators of the first adversarial systems."""
