"""Files that run elsewhere."""
