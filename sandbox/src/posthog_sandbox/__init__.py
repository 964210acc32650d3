"""An emulator of the Maton gateway and PostHog's API: real HTTP on loopback, synthetic events, stored rows."""
