"""Jobs that the clock pushes: when they are due, and what happens when the clock or the server was late."""
