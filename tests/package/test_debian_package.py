"""What the Debian package holds, and that what it holds runs from there. Installing it: scripts/try-package.sh."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from srt_router import __version__

ROOT = Path(__file__).resolve().parents[2]
OPT = "/opt/srt-router"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    built = subprocess.run(
        [ROOT / "packaging/build.sh", "deb"],
        env={**os.environ, "DIST": str(folder), "COMPRESSION": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob(f"srt-router_{__version__}_*.deb")
    return found


@pytest.fixture(scope="module")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lies in it, and in DEBIAN what apt reads and runs."""
    folder = tmp_path_factory.mktemp("unpacked")
    subprocess.run(["dpkg-deb", "-R", package, folder], check=True)
    return folder


@contextmanager
def archive(package: Path) -> Iterator[tarfile.TarFile]:
    """The files as they will be installed, with owners and modes."""
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as found,
    ):
        yield found


def test_what_apt_is_told(unpacked: Path) -> None:
    lines = (unpacked / "DEBIAN/control").read_text().splitlines()
    control = dict(line.split(": ", 1) for line in lines if not line.startswith(" "))
    assert (control["Package"], control["Version"]) == ("srt-router", __version__)
    depends = control["Depends"].split(", ")
    assert {re.split(r" \(", one)[0] for one in depends} == {"python3", "srt-tools", "ffmpeg", "adduser"}
    assert any(one.startswith("python3 (<<") for one in depends), "its modules are for this Python only"
    assert not [line for line in lines if re.search("@[A-Z]", line)], "a blank was not filled in"
    assert (unpacked / "DEBIAN/conffiles").read_text() == "/etc/srt-router/srt-router.toml\n"
    for script in ("postinst", "prerm", "postrm"):
        assert os.access(unpacked / "DEBIAN" / script, os.X_OK)
        subprocess.run(["sh", "-n", unpacked / "DEBIAN" / script], check=True)


def test_every_file_is_where_the_documentation_says(package: Path) -> None:
    table = re.findall(r"^\| (`/.+?) \|", (ROOT / "docs/deployment.md").read_text(), re.MULTILINE)
    documented = tuple(place for row in table for place in re.findall(r"`(/[^`]+)`", row))
    assert len(documented) > 5
    with archive(package) as files:
        for one in files:
            path = one.name.removeprefix(".").rstrip("/")
            assert (one.uid, one.gid, one.mode & 0o6022 if not one.issym() else 0) == (0, 0, 0), path
            if not one.isdir():
                assert path.startswith(documented), path
                if path.startswith("/usr/share/"):
                    assert "srt-router" in path, "others' files lie there, too"


def test_settings_unit_and_pages(unpacked: Path) -> None:
    settings = unpacked / "etc/srt-router/srt-router.toml"
    assert settings.read_bytes() == (ROOT / "packaging/srt-router.toml").read_bytes()
    assert settings.stat().st_mode & 0o777 == 0o640
    unit = (unpacked / "usr/lib/systemd/system/srt-router.service").read_text()
    (program,) = re.findall(r"^ExecStart=(\S+) serve$", unit, re.MULTILINE)
    for path in (program, "/usr/bin/srt-router"):
        assert os.access(unpacked / path.lstrip("/"), os.X_OK)
    pages = {one.name for one in (unpacked / "usr/share/man/man1").iterdir()}
    assert {"srt-router.1.gz", "srt-router-routes-add.1.gz", "srt-router-presets-list.1.gz"} <= pages
    assert (unpacked / "usr/share/doc/srt-router/docs/deployment.md").exists()
    assert (unpacked / "usr/share/doc/srt-router/systemd/srt-router.service.d/adopt.conf").exists()


def test_it_runs_from_there(unpacked: Path, tmp_path: Path) -> None:
    program = unpacked / OPT.lstrip("/") / "bin/srt-router"
    environment = {"PATH": "/usr/bin:/bin", "SRT_ROUTER_CONFIG": str(unpacked / "etc/srt-router/srt-router.toml")}

    def said(*words: str) -> str:
        return subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=True).stdout

    assert re.fullmatch(rf"srt-router {re.escape(__version__)} \(build \S+\)\n", said("--version"))
    assert not (ROOT / "src/srt_router/build.txt").exists()
    assert "the settings are valid" in said("config", "check")
    where = "import srt_router.main; print(srt_router.main.__file__)"
    python = subprocess.run(
        [program.with_name("python"), "-c", where],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(python.stdout.strip()).is_relative_to(unpacked)


def test_what_it_brings(unpacked: Path) -> None:
    (packages,) = (unpacked / OPT.lstrip("/")).glob("lib/python3*/site-packages")
    assert (packages / "srt_router/console/index.html").exists()
    compiled = {one.name.partition(".")[0] for one in (packages / "srt_router/__pycache__").glob("*.pyc")}
    assert {one.stem for one in (packages / "srt_router").glob("*.py")} == compiled, "the service cannot write there"
    for only_here in ("pytest", "mypy", "playwright", "tests"):
        assert not (packages / only_here).exists()
    for file in (unpacked / OPT.lstrip("/")).rglob("*"):
        command = file.parent.name == "bin" and not file.is_symlink()
        if command or file.suffix == ".json" or file.name == "pyvenv.cfg":
            assert str(ROOT) not in file.read_text(errors="replace"), f"{file} names a folder of this machine"
