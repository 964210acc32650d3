"""PostHog's own insight queries, in an analyst's words."""
