"""How pictures are painted, in styles and from maps."""
