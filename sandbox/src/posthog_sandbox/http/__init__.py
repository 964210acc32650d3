"""HTTP in the style of PostHog's API: routing, bodies, fields, filters, pagination and resources."""
