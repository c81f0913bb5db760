"""`srt-router config`, `support-bundle` and `completion`, as somebody in trouble uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.harness.cli import run, run_json
from tests.harness.server import Server, listener, route

SECRET = "correct-horse-42"


def test_settings_that_are_wrong_are_named_before_a_start(tmp_path: Path) -> None:
    file = tmp_path / "srt-router.toml"
    file.write_text('HOST = "0.0.0.0"\nPROT = 80\n')
    done = run(tmp_path, "config", "check", "--config", str(file))
    assert done.returncode == 1
    assert done.stderr.startswith("srt-router: setting PROT: no such setting")
    file.write_text('HOST = "0.0.0.0"\nTLS_CERT = "/no/cert.pem"\nTLS_KEY = "/no/key.pem"\n')
    done = run(tmp_path, "config", "check", extra={"SRT_ROUTER_CONFIG": str(file)})
    assert done.returncode == 1
    assert done.stderr.startswith("srt-router: setting TLS_CERT: /no/cert.pem")
    file.write_text('HOST = "0.0.0.0"\n')
    done = run(tmp_path, "config", "check", "--config", str(file))
    assert (done.returncode, done.stdout) == (0, f"{file}: the settings are valid\n")


def test_which_settings_count_and_where_they_come_from(tmp_path: Path) -> None:
    file = tmp_path / "srt-router.toml"
    file.write_text(f'HOST = "0.0.0.0"\nSMTP_USER = "router"\nSMTP_PASSWORD = "{SECRET}"\nPORT = 81\n')
    found = run_json(tmp_path, "config", "show", "--config", str(file))
    assert found["HOST"] == {"value": "0.0.0.0", "from": "file"}
    assert found["PORT"] == {"value": 0, "from": "environment"}
    assert found["HEALTH_ATTEMPTS"] == {"value": 3, "from": "default"}
    done = run(tmp_path, "config", "show", "--config", str(file))
    assert 'HOST = "0.0.0.0"  # file\n' in done.stdout
    assert SECRET not in done.stdout + json.dumps(found)


def contents(bundle: Path) -> dict[str, str]:
    with tarfile.open(bundle) as archive:
        found = {}
        for member in archive:
            assert member.isfile()
            file = archive.extractfile(member)
            assert file is not None
            found[member.name.partition("/")[2]] = file.read().decode()
    return found


def test_a_bundle_of_a_server_on_air(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.tar.gz"
    with Server(tmp_path, [route(1, listener(4000, passphrase=SECRET), listener(4001))]) as server:
        server.until_status("route_1", "waiting")
        hidden = (SECRET, server.signed_in()["Authorization"].removeprefix("Bearer "))
        done = run(server, "support-bundle", "--output", str(bundle))
    assert done.returncode == 0, done.stderr
    assert bundle.stat().st_mode & 0o777 == 0o600
    found = contents(bundle)
    assert json.loads(found["routes.json"])["routes"][0]["source"]["port"] == 4000
    assert {one["type"] for one in json.loads(found["processes.json"])["items"]} >= {"srt", "srtOut:4001"}
    assert "routeStarted" in {json.loads(line)["kind"] for line in found["events.jsonl"].splitlines()}
    assert "Route route_1 is waiting" in found["logs/srt-router.log"]
    assert "Media path" in found["process-logs/route_1_srt.log"]
    assert json.loads(found["doctor.json"])
    assert "srt-router" in found["versions.txt"]
    assert not [name for name, text in found.items() for secret in hidden if secret in text]
    assert run(server, "support-bundle", "--output", str(bundle)).returncode == 1, "it overwrites nothing"


def test_a_bundle_of_what_is_broken(tmp_path: Path) -> None:
    """No server, a routes.json that does not parse, a database that is none, a log that is a link to elsewhere."""
    for folder in ("data/logs", "run", "pids"):
        (tmp_path / folder).mkdir(parents=True, mode=0o700)
    (tmp_path / "data/routes.json").write_text(f'{{"routes": [\n"passphrase": "{SECRET}"\n"name": "Paris"\n')
    (tmp_path / "data/gateway.db").write_text("no database")
    (tmp_path / "outside").write_text("outside")
    (tmp_path / "data/logs/srt-router.log").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "run/route_1_srt.log")
    bundle = tmp_path / "bundle.tar.gz"
    done = run(tmp_path, "support-bundle", "-o", str(bundle))
    assert done.returncode == 0, done.stderr
    found = contents(bundle)
    assert '"name": "Paris"' in found["routes.json"]
    assert SECRET not in str(found)
    for name in ("events.jsonl", "logs/srt-router.log", "process-logs/route_1_srt.log"):
        assert name not in found
        assert name in found["troubles.txt"]
        assert name in done.stderr
    assert "routes.json.bak: No such file or directory" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(tmp_path: Path, shell: str) -> None:
    script = run(tmp_path, "completion", shell).stdout
    assert "_SRT_ROUTER_COMPLETE" in script


def test_bash_completes_the_commands(tmp_path: Path) -> None:
    (tmp_path / "completion").write_text(run(tmp_path, "completion", "bash").stdout)
    words = ". ./completion; COMP_WORDS=(srt-router routes ex); COMP_CWORD=2; _srt_router_completion srt-router"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"{words}; echo $COMPREPLY"],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "export"
