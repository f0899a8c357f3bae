"""Stores: they take records in order and say up to where these are durable. They know no command."""
