"""What workflows have done for them: the one transaction, and the outside world."""
