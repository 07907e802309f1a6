"""Tries a rule change on what has happened: two packs, the same events, ticket by ticket."""
