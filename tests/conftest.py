"""Fixtures are in `fix_*.py`, by what they provide; here is only what concerns every test."""

import hypothesis
import pytest
import structlog

# The first case of a run loads zones and holidays: how long it takes says nothing.
hypothesis.settings.register_profile("flowhub", deadline=None)
hypothesis.settings.load_profile("flowhub")

structlog.configure(
    processors=[structlog.stdlib.render_to_log_kwargs],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
)

pytest_plugins = ["tests.fix_postgres", "tests.fix_temporal", "tests.fix_desk"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow tests last, so that what breaks is seen early; the random order stays otherwise."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
