import os

import pytest

from serving.cores import usable_cores

ALLOWED = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000", ALLOWED),
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("99900000 100000", ALLOWED),
        ("", ALLOWED),
    ],
)
def test_a_containers_quota_counts(tmp_path, quota, cores):
    (tmp_path / "cpu.max").write_text(quota)
    assert usable_cores(tmp_path / "cpu.max") == cores


def test_without_cgroups_the_affinity_counts(tmp_path):
    assert usable_cores(tmp_path / "none") == ALLOWED
