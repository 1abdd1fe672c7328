"""What inversion and editing build upon: the spaces of a generator, encoders, and what a layer holds."""
