"""What deciding costs: ours with explanation beside raw durable_rules, CLIPS and ZEN.

    uv sync --group bench
    .venv/bin/python bench/rules.py --quick                 # about a minute
    .venv/bin/python bench/rules.py --log LOG.csv.gz        # about ten minutes

Every engine gets the same rules and facts in the same run, and every answer is compared. `raw` is
durable_rules in this process with messages that are ready; `explained` is ours in this process:
type checks, matching, the reference with every reason, comparison, verdict; `isolated` is the same
through the child process, as in production. The last line is JSON:

- `explained_to_raw_ratio` (at least 0.5), `isolated_to_raw_ratio` (at least 0.2): the lowest of the
  three packs;
- `to_zen_trace_ratio` (above 1): explained beside ZEN with its trace, likewise;
- `growth_mib`: what a million decisions add to parent and child;
- `simulate_s` (below 120), `simulate_peak_mib` (below 1024): the whole log through
  `flowhub rules simulate`, two packs at once, all processes together; null without `--log`.
"""

import sys
from pathlib import Path

# Else `rules` would be this file.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.deciding import main

if __name__ == "__main__":
    main(__doc__ or "")
