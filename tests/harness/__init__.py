"""What the tests stand on: isolation from the machine, and waiting without sleeping."""
