"""The compiled load generator behind `flashq bench` and `make bench`."""
