import os

import pytest

from serving.cores import usable_cores

ALLOWED = len(os.sched_getaffinity(0))
V2 = "0::/outer/inner\n"
V1 = "5:memory:/docker/7\n4:cpu,cpuacct:/docker/7\n"
V1_QUOTA = "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us"
V1_PERIOD = "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        (V2, {"sys/fs/cgroup/outer/inner/cpu.max": "100000 100000"}, 1),
        (V2, {"sys/fs/cgroup/outer/cpu.max": "50000 100000"}, 1),
        (V2, {"sys/fs/cgroup/cpu.max": "100000 100000"}, 1),  # a container sees its own group as the root
        (V2, {"sys/fs/cgroup/cpu.max": "max 100000"}, ALLOWED),
        (V2, {"sys/fs/cgroup/cpu.max": "99900000 100000"}, ALLOWED),
        (V2, {"sys/fs/cgroup/cpu.max": ""}, ALLOWED),
        (V1, {V1_QUOTA: "150000", V1_PERIOD: "100000"}, 1),
        (V1, {V1_QUOTA: "-1", V1_PERIOD: "100000"}, ALLOWED),
        (V1, {}, ALLOWED),
        ("", {}, ALLOWED),
    ],
)
def test_a_containers_quota_counts(tmp_path, groups, files, cores):
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_cores(tmp_path) == cores


def test_without_control_groups_the_affinity_counts(tmp_path):
    assert usable_cores(tmp_path) == ALLOWED
