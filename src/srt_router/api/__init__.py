"""HTTP and WebSocket, thin: it calls the rooms above and holds no logic."""
