"""Every guard is needed: with each removed in turn, the test that watches over it fails.

A copy of the package gets one small wound; the test runs on it, and must notice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = "tests/unit/processes"
MODEL = f"{UNIT}/test_cleanup_model.py"
FILES = f"{UNIT}/test_pidfiles_unit.py"
REAL = "tests/process/test_cleanup.py"


@dataclass(frozen=True)
class Mutation:
    """One guard, taken away."""

    guard: str
    file: str
    sound: str
    wounded: str
    noticed_by: str


MUTATIONS = [
    Mutation(
        "the second scan",
        "sweep.py",
        "QUIET_SCANS = 2",
        "QUIET_SCANS = 1",
        f"{MODEL}::test_a_tag_that_cannot_be_read_yet",
    ),
    Mutation(
        "the thorough scans after the quick one",
        "cleanup.py",
        "self._table.candidates, quick=quick",
        "self._table.candidates, quick=True",
        f"{REAL}::test_a_tagged_one_in_a_session_of_somebody_else",
    ),
    Mutation(
        "the tag of another live router",
        "ownership.py",
        "_UNTOUCHABLE = (Owner.PROTECTED, Owner.LIVE_ROUTER, Owner.UNSETTLED)",
        "_UNTOUCHABLE = (Owner.PROTECTED, Owner.UNSETTLED)",
        f"{REAL}::test_a_live_installation_beside_us",
    ),
    Mutation(
        "the tag of a process amidst its exec",
        "ownership.py",
        "_UNTOUCHABLE = (Owner.PROTECTED, Owner.LIVE_ROUTER, Owner.UNSETTLED)",
        "_UNTOUCHABLE = (Owner.PROTECTED, Owner.LIVE_ROUTER)",
        f"{MODEL}::test_a_process_amidst_its_exec_is_not_judged_by_its_name",
    ),
    Mutation(
        "the tag check of other programs",
        "ownership.py",
        "    if facts.program != SRT_LIVE_TRANSMIT:\n        return Judgement.LEAVE\n",
        "",
        f"{UNIT}/test_ownership.py::test_another_program_is_killed_only_with_our_tag",
    ),
    Mutation(
        "the check of what a PID file names",
        "ownership.py",
        "    if reason is not None:\n        return FileFate.REMOVE, reason\n",
        "",
        f"{UNIT}/test_ownership.py::test_what_becomes_of_a_pid_file",
    ),
    Mutation(
        "the user of a tagged process, the short way",
        "scan.py",
        "if block and user == self.uid and",
        "if block and",
        f"{REAL}::test_a_tag_of_another_user_counts_for_nothing",
    ),
    Mutation(
        "the user of a tagged process",
        "scan.py",
        "same_user = proc.runs_as(pid, self.uid)",
        "same_user = True",
        f"{REAL}::test_a_tag_of_another_user_counts_for_nothing",
    ),
    Mutation(
        "the first start",
        "ownership.py",
        "if rules.scope is Scope.OWNED or rules.first_start:",
        "if rules.scope is Scope.OWNED:",
        f"{REAL}::test_the_first_start_kills_nobody_elses",
    ),
    Mutation(
        "the owner of PID_DIR",
        "directories.py",
        "if found.st_uid != os.geteuid():",
        "if False:",
        f"{FILES}::test_one_of_somebody_else_is_refused",
    ),
    Mutation(
        "the mode of PID_DIR",
        "directories.py",
        "if stat.S_IMODE(found.st_mode) & 0o022:",
        "if False:",
        f"{FILES}::test_one_that_others_can_write_is_refused",
    ),
    Mutation(
        "O_NOFOLLOW on PID_DIR",
        "directories.py",
        "os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)",
        "os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)",
        f"{FILES}::test_a_symbolic_link_is_refused",
    ),
    Mutation(
        "O_NOFOLLOW on a PID file",
        "pidfiles.py",
        "os.open(file_name, os.O_RDONLY | os.O_NOFOLLOW |",
        "os.open(file_name, os.O_RDONLY |",
        f"{FILES}::test_files_that_are_not_what_they_should_be",
    ),
    Mutation(
        "O_NONBLOCK on a PID file",
        "pidfiles.py",
        "os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd",
        "os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd",
        f"{FILES}::test_files_that_are_not_what_they_should_be",
    ),
    Mutation(
        "pin before verify",
        "cleanup.py",
        "            pin = self._open_pin(pid)\n        except ProcessLookupError:\n            return None\n"
        "        facts = self._table.facts(pid)\n",
        "            facts = self._table.facts(pid)\n            pin = self._open_pin(pid)\n"
        "        except ProcessLookupError:\n            return None\n",
        f"{MODEL}::test_a_pid_that_changes_hands_between_pin_and_look",
    ),
    Mutation(
        "unlink after death",
        "cleanup.py",
        "if file.pid in ended:",
        "if True:",
        f"{MODEL}::test_what_cannot_be_ended_is_an_error_with_pid_and_reason",
    ),
    Mutation(
        "SIGKILL for those left",
        "ending.py",
        "_try_signal(process, signal.SIGKILL)",
        "pass",
        f"{REAL}::test_a_stopped_one_and_one_that_ignores_sigterm",
    ),
    Mutation(
        "the lock",
        "directories.py",
        "fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
        f"{FILES}::test_a_lock_names_its_holder_and_ends_with_it",
    ),
]


def run(tests: list[str], package: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    if package is not None:
        environment["PYTHONPATH"] = str(package)
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "timeout=5"]
    return subprocess.run(
        [*words, *tests], capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60, check=False
    )


def test_sound_they_all_pass() -> None:
    done = run(sorted({mutation.noticed_by for mutation in MUTATIONS}))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.guard)
def test_without_it_a_test_fails(tmp_path: Path, mutation: Mutation) -> None:
    if os.geteuid() != 0 and "user of a tagged" in mutation.guard:
        pytest.skip("takes a second user")
    package = tmp_path / "src"
    shutil.copytree(ROOT / "src", package, ignore=shutil.ignore_patterns("__pycache__"))
    wounded = package / "srt_router" / "processes" / mutation.file
    text = wounded.read_text()
    assert text.count(mutation.sound) == 1, f"{mutation.file} has changed: mend this mutation"
    wounded.write_text(text.replace(mutation.sound, mutation.wounded))
    done = run([mutation.noticed_by], package)
    assert done.returncode == 1, f"nobody noticed that {mutation.guard} is missing:\n{done.stdout}{done.stderr}"
    assert " failed" in done.stdout, done.stdout
