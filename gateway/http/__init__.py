"""HTTP: requests for the wire, connections, responses, retries."""
