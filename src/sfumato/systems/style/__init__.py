"""Styles and textures, by optimisation of pictures and by networks."""
