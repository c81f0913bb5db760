"""What is on air: connections, statistics, bus drops."""
