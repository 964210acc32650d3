"""The only code that speaks HTTP: Maton's data plane (PostHog) and its control plane (connections)."""
