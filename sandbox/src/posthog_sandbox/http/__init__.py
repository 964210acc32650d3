"""HTTP as PostHog's API has it: routing, bodies, fields, filters, pages and resources."""
