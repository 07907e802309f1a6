"""The outside world: notifications and public replies, each sent at least once under its key."""

from activities.outside.perform import OutsideActivities
from activities.outside.ways import ways_out

__all__ = ["OutsideActivities", "ways_out"]
