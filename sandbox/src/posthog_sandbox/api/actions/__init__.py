"""Actions and references to them."""
