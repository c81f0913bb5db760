"""Sets up what we are measured against, in a scratch folder: nothing is installed on the machine.

Everything here needs the network, so it is done before a bench enters namespaces of its own; what is there already is
left alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.harness.isolate import is_isolated

ROOT = Path(__file__).parents[1]
SCRATCH = Path(__file__).parent / ".peers"
_MULTIARCH = f"{os.uname().machine}-linux-gnu"


def pypi(*requirements: str) -> Path:
    """Make a virtual environment with these packages. Returns its folder of programs."""
    folder = SCRATCH / ("pypi-" + "-".join(requirements))
    return _once(folder, lambda: _install_pypi(folder, requirements)) / "bin"


def npm(package: str) -> Path:
    """Install a package of npm, `name@version`. Returns its folder of programs; `npm_environment` runs them."""
    folder = SCRATCH / ("npm-" + package.replace("/", "-"))
    return _once(folder, lambda: _install_npm(folder, package)) / "node_modules/.bin"


def npm_environment() -> dict[str, str]:
    """The environment in which programs of npm find their interpreter."""
    return {**os.environ, "PATH": f"{ROOT / '.tools/node/bin'}:{os.environ['PATH']}"}


def debian(*packages: str) -> Path:
    """Unpack packages of Debian, with what they need and this machine lacks. Returns the folder that stands for /."""
    folder = SCRATCH / ("debian-" + "-".join(packages))
    return _once(folder, lambda: _unpack_debian(folder, packages))


def environment(root: Path) -> dict[str, str]:
    """The environment in which programs unpacked by `debian` find each other, their libraries and plug-ins."""
    programs = [root / "usr/bin", root / "usr/sbin", root / "bin", root / "command"]
    libraries = [root / "usr/lib" / _MULTIARCH, root / "lib" / _MULTIARCH, root / "usr/lib", root / "lib"]
    libraries += [folder for folder in libraries[0].glob("*") if folder.is_dir() and any(folder.glob("lib*.so*"))]
    here = Path("/usr/lib") / _MULTIARCH  # what this machine has already was not unpacked
    plugins = [folder / "gstreamer-1.0" for folder in (libraries[0], here)]
    scanners = [folder / "gstreamer1.0/gstreamer-1.0/gst-plugin-scanner" for folder in (libraries[0], here)]
    return {
        **os.environ,
        "PATH": ":".join([*map(str, programs), os.environ["PATH"]]),
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "GST_PLUGIN_SYSTEM_PATH_1_0": ":".join(map(str, plugins)),
        "GST_PLUGIN_SCANNER_1_0": str(next((each for each in scanners if each.exists()), scanners[0])),
        "GST_REGISTRY_1_0": str(root / "gstreamer-registry.bin"),
    }


def lay_over(root: Path) -> None:
    """Let programs of `debian` be found in /usr/bin as well: some, as s6-svscan, call others by their whole path.

    For the mount namespace that we are in, which must be our own.
    """
    assert is_isolated(), "this mounts over /usr/bin: run it through tests/harness/isolate.py"
    layers = f"lowerdir=/usr/bin:{root / 'usr/bin'}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, "/usr/bin"], check=True)


def _once(folder: Path, make: Callable[[], None]) -> Path:
    """Make the folder unless it is whole; a half-made one of before is made anew."""
    done = folder / ".whole"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        print(f"setting up {folder.name}", file=sys.stderr, flush=True)
        make()
        done.touch()
    return folder


def _install_pypi(folder: Path, requirements: tuple[str, ...]) -> None:
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    uv = str(ROOT / ".tools/bin/uv")
    _run([uv, "pip", "install", "--quiet", "--python", str(folder / "bin/python"), *requirements])


def _install_npm(folder: Path, package: str) -> None:
    (folder / "package.json").write_text("{}")
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), package]
    _run(command, npm_environment())


def _unpack_debian(folder: Path, packages: tuple[str, ...]) -> None:
    """apt works out what is missing and fetches it; nothing is installed."""
    with tempfile.TemporaryDirectory() as fetched:
        (Path(fetched) / "partial").mkdir()
        options = ["-o", f"Dir::Cache::archives={fetched}", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"]
        _run(["apt-get", *options, "install", "-y", "--no-install-recommends", "--download-only", *packages])
        for archive in sorted(Path(fetched).glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(archive), str(folder)])


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
