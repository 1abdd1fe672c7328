"""Pictures and films as people keep them, and folders of them."""
