"""The only code that sends HTTP: to Maton's data plane (PostHog) and its control plane (connections)."""
