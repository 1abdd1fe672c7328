"""What editing through a generator is made of: directions, brushes, units, regions."""
