"""Networks that paint in a style, and the canvas that is painted by optimisation."""
