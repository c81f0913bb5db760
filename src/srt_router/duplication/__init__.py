"""The parts of the udpDuplicator process; ``duplicator.py`` beside this folder runs them."""
