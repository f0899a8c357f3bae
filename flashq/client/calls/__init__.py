"""A function for each command that describes one call of it; both clients carry out the same descriptions."""
