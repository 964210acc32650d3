"""What leaves towards a client: results, rendered and cleaned."""
