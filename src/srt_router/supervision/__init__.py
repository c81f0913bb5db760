"""Keeping what runs equal to what should run."""
