"""The one-machine runtime: PostgreSQL and Temporal without containers."""
