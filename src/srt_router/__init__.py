"""SRT Router: routes live SRT feeds, and never leaves an orphan."""

__version__ = "0.1.0"
