"""The sandbox from Python: a process to start and control, and fixtures for pytest."""
