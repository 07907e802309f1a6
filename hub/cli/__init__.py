"""`flowhub`: the command line of the hub. One module for each family of commands."""

from hub.cli.main import main

__all__ = ["main"]
