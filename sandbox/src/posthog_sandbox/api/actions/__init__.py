"""Actions and what refers to them."""
