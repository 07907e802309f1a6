"""Temporal workflows, one file each: they wait, ask `decide`, and start what is done outside."""
