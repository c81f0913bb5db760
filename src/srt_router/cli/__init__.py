"""The commands, thin: they call the rooms above or the HTTP API."""
