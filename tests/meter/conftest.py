"""What stories of a meter's process share: processes that end with the test, a site to be at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_hil.children.processes import ProcessGroup
from wattle_testkit.meter_site import MeterSite


@pytest.fixture
def group() -> Iterator[ProcessGroup]:
    """Whatever is started in it is gone when the test ends."""
    with ProcessGroup() as group:
        yield group


@pytest.fixture
def site(tmp_path: Path, group: ProcessGroup) -> Iterator[MeterSite]:
    """A place for boards, brokers and a scripted gateway."""
    site = MeterSite(tmp_path, group)
    yield site
    site.gateway.disconnect()
