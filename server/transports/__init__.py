"""The transports: stdin and stdout, and HTTP."""
