"""What is shown of persons: which columns and expressions are about one, and what is left out."""
