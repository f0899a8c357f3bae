"""`flashq doctor`: checks of this machine, of the settings, of the data directory and of the server."""
