"""Every command says which version it is, as a report of a fault has to."""

from collections.abc import Callable, Sequence
from importlib.metadata import version

import pytest
from wattle_gateway.cli.main import main as gateway
from wattle_hil.cli import main as hil
from wattle_tools.cli import main as tool

COMMANDS = {"wattle-gateway": gateway, "wattle-hil": hil, "wattle-tool": tool}


@pytest.mark.parametrize(("name", "main"), COMMANDS.items(), ids=COMMANDS)
def test_the_version_is_that_of_the_package(
    name: str, main: Callable[[Sequence[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"{name} {version('wattle-grid')}\n"
