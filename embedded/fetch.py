"""Get the servers ahead of time: `python -m embedded.fetch temporal test-server`.

Exit code 2 with one sentence when one is not to be had.
"""

import sys
from collections.abc import Sequence

from embedded.progress import Lines
from embedded.temporal_binary import obtain_temporal
from embedded.time_skipping import obtain_test_server
from settings import Settings
from support.errors import RuntimeUnavailableError

SERVERS = {"temporal": obtain_temporal, "test-server": obtain_test_server}


def main(names: Sequence[str]) -> int:
    """Get each named server into the data directory."""
    unknown = [name for name in names if name not in SERVERS]
    if unknown or not names:
        print(f"name what to get: {', '.join(SERVERS)}", file=sys.stderr)
        return 2
    data_dir = Settings().data_dir
    for name in names:
        try:
            SERVERS[name](data_dir, Lines())
        except RuntimeUnavailableError as error:
            print(error, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
