"""Routes out of the files of other gateways."""
