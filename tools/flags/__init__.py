"""Feature flags: finding them, and changing who sees them."""
