"""What the router adds on this very machine: marked packets and marked pictures, from where they come in to where they
go out."""
