"""Session recordings and their filters."""
