"""Real streams for tests and benches: make them, send them in, take them out, judge what came out."""
