"""Real pictures in the spaces of a generator, and changes to what is in them."""
