"""What makes a router fail on a machine that is not as it should be, looked at one by one, with the remedy."""
