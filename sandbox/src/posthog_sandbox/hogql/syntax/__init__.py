"""Convert between HogQL text and syntax trees that can be compiled."""
