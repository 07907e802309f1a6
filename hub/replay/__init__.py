"""Replays the log of another system as tickets, and says what automation would have done."""
