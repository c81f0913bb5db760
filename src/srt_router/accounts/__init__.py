"""Users, roles, sessions, tokens: who may ask this server for what. Kept in gateway.db; knows no web."""
