"""How one picture or film becomes larger."""
