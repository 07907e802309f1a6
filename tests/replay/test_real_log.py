"""The real log, wherever it is: it lies beside the checkout and is not part of it."""

import gzip
from pathlib import Path

import pytest

from hub.replay.events import in_order
from hub.replay.mapping import load_mapping
from hub.replay.run import replay
from hub.replay.source import read_log
from settings import Settings
from tests.replay.exporting import quiet

LOG = Path(__file__).parents[2].parent / "shared" / "data" / "incident_event_log.csv.gz"

beside_the_checkout = pytest.mark.skipif(
    not LOG.exists(), reason="the real log is not beside the checkout"
)
pytestmark = beside_the_checkout


def test_every_row_is_used_or_counted() -> None:
    mapping = load_mapping("servicenow-incidents")
    log = read_log(LOG, mapping, None, quiet)
    with gzip.open(LOG, "rt") as text:
        assert log.rows_read == sum(1 for _ in text) - 1 == 141_712
    assert len(log.incidents) == 24_918
    assert sum(incident.missed is True for incident in log.incidents) == 9_115
    assert log.unused["incident_state not in the mapping: '-100'"] == 5
    assert log.rows_used + sum(log.unused.values()) == log.rows_read
    happenings = in_order(log.incidents, mapping)
    assert happenings == sorted(happenings, key=lambda happening: happening.place)


async def test_its_first_incidents_are_replayed_by_simulation() -> None:
    report = await replay(
        LOG,
        "servicenow-incidents",
        limit=300,
        engine="simulate",
        settings=Settings(),
        progress=quiet,
    )
    assert report.tickets == 300
    assert report.breaches
    assert report.escalations
    assert report.early_warning is not None
