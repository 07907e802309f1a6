"""The simulation decides as the real workflows do: the real log, ticket by ticket, exactly."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hub.replay.mapping import ReplayMapping, load_mapping
from hub.replay.source import Incident, read_log
from hub.simulation.trail import Step
from tests.replay.both_engines import Steps, as_lines, by_workflows, simulated
from tests.replay.exporting import quiet
from tests.replay.test_real_log import LOG

INCIDENTS = 200

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not LOG.exists(), reason="the real log is not beside the checkout"),
]


def sampled(mapping: ReplayMapping) -> Sequence[Incident]:
    """Incidents from the whole year, the long and winding among them."""
    incidents = read_log(LOG, mapping, None, quiet).incidents
    spread = incidents[:: len(incidents) // (INCIDENTS // 2)][: INCIDENTS // 2]
    chosen = {incident.ticket_id for incident in spread}
    rest = [incident for incident in incidents[:4000] if incident.ticket_id not in chosen]
    longest = sorted(rest, key=lambda i: (-len({u.state for u in i.updates}), -len(i.updates)))
    return (*spread, *longest[: INCIDENTS - len(spread)])


def with_capacity(mapping: ReplayMapping, units: float) -> ReplayMapping:
    roster = mapping.roster.model_copy(update={"capacity_units": units})
    return mapping.model_copy(update={"roster": roster})


def every(steps: Steps) -> Iterator[Step]:
    return (step for told in steps.values() for step in told)


@pytest.mark.timeout(1200)
async def test_workflows_and_simulation_decide_the_same_of_the_real_log(
    postgres_url: str, servers_dir: Path
) -> None:
    mapping = with_capacity(load_mapping("servicenow-incidents"), 1000)
    incidents = sampled(mapping)
    ours = await simulated(incidents, mapping)
    real = await by_workflows(incidents, mapping, servers_dir, postgres_url)
    assert len(ours) == INCIDENTS
    assert as_lines(ours) == as_lines(real)
    told = list(every(ours))
    seen = {step.trigger.partition(" ")[0] for step in told}
    assert {"created", "wait", "reopen", "resolve", "priority"} <= seen
    assert any(action.kind == "escalate" for step in told for action in step.actions)
    assert any(action.outcome == "refused" for step in told for action in step.actions)
