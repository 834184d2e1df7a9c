"""What holds for all tests."""

import os

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code. The same code gets the same examples, so that a change
# is never refused for what was there before; HYPOTHESIS_PROFILE=seek looks for others each time.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("seek", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules whose tests may take long begin first: else one process ends them alone."""
    longest: dict[object, float] = {}
    for item in items:
        marker = item.get_closest_marker("timeout")
        patience = float(marker.args[0]) if marker else 0.0
        longest[item.path] = max(patience, longest.get(item.path, 0.0))
    items.sort(key=lambda item: (item.path.parent.name == "unit", -longest[item.path]))
