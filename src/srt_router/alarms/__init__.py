"""Alarms: rules over what is seen of routes, and messages to whoever must know. Knows no route, no process, no web."""
