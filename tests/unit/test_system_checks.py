"""On what kind of file system a folder is."""

from __future__ import annotations

from srt_router.system_checks import kind_of_mount

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
tmpfs /run tmpfs rw 0 0
/dev/sdb1 /run/with\\040space xfs rw 0 0
tmpfs /run/srt tmpfs rw 0 0
overlay /run/srt overlay rw 0 0
cut
"""


def test_the_longest_mount_point_above_a_path_counts() -> None:
    assert kind_of_mount("/var/lib", MOUNTS) == "ext4"
    assert kind_of_mount("/run", MOUNTS) == "tmpfs"
    assert kind_of_mount("/runner", MOUNTS) == "ext4"
    assert kind_of_mount("/run/with space/x", MOUNTS) == "xfs"


def test_what_was_mounted_last_on_one_point_counts() -> None:
    assert kind_of_mount("/run/srt/x", MOUNTS) == "overlay"


def test_no_mounts_no_answer() -> None:
    assert kind_of_mount("/run", "") is None
