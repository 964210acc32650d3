"""PostHog's own query kinds (TrendsQuery and its relatives), computed from the events through HogQL."""
