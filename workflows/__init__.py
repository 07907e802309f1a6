"""Temporal workflows, one file each."""
