"""gateway.db and what is kept in it. What cannot be kept stops nothing that is on air."""
