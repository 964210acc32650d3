"""The sandbox of `--sandbox`: a child process, and calls that wait until it is ready."""
