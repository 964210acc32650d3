"""A stand-in for the Maton gateway and PostHog: real HTTP on loopback, synthetic events, rows of its own."""
