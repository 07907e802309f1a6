"""`python -m embedded.obtain`: get every server that the tests need, ahead of them."""

import os
import sys
from pathlib import Path

from embedded.progress import Lines
from embedded.temporal_binary import obtain_temporal
from embedded.time_skipping import obtain_test_server
from support.errors import RuntimeUnavailableError


def main() -> None:
    """Get the Temporal servers into the data directory; exit code 2 says what to do."""
    data_dir = Path(os.environ.get("FLOWHUB_DATA_DIR", ".flowhub"))
    progress = Lines(sys.stdout)
    try:
        for obtain in (obtain_temporal, obtain_test_server):
            progress.step(f"Temporal: {obtain(data_dir, progress)}")
    except RuntimeUnavailableError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
