"""Fixtures are in `fix_*.py`, by what they provide; here is only what concerns every test."""

import pytest
import structlog

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
