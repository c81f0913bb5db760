"""For all tests: asyncio as the event loop, and no process outside the namespaces that contain it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.isolate import is_isolated

TESTS = Path(__file__).parent
START_PROCESSES = ("process", "api", "browser", "harness")
MEDIA = ("srt-live-transmit", "ffmpeg")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The product runs on asyncio, so its tests do."""
    return "asyncio"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`: nothing is left out, as in CI."""
    parser.addoption("--long", action="store_true", help="run the tests that are marked `long`, too, as CI does")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, unless it is asked for: with `--long`, or by name."""
    by_name = config.option.keyword or any("::" in word or word.endswith(".py") for word in config.args)
    if config.option.long or by_name:
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A worker has a /tmp of its own: the folder that the controller chose is not there.

    Nor may it lie where pytest keeps its last few: some tests run pytest themselves, which tidies up there.
    """
    if "PYTEST_XDIST_WORKER" in os.environ and is_isolated():
        config.option.basetemp = "/tmp/of-this-worker"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse to run what starts and kills processes where it could hit somebody else's."""
    part = item.path.relative_to(TESTS).parts[0]
    if part in START_PROCESSES and not is_isolated():
        pytest.fail(
            "this test starts and kills processes, so it runs in namespaces of its own only: "
            f"./test {'process' if part == 'harness' else part} -- -k {item.name}",
            pytrace=False,
        )


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """After all tests no media process may be left: a test that leaks one hides that the product does."""
    yield
    if is_isolated():
        left = sorted(name for name in map(_program, Path("/proc").glob("[0-9]*")) if name in MEDIA)
        assert not left, f"still running after the last test: {', '.join(left)}"


def _program(process: Path) -> str:
    try:
        return (process / "exe").readlink().name
    except OSError:  # it has just ended, or is a zombie
        return ""
