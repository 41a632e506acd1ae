from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import InputError
from vertex.jobs.job_options import JobOptions
from vertex.jobs.scheduling import FLEXIBLE, duration, scheduling
from vertex.machines import MACHINE_TYPES, machine

T4 = machine(1)


@given(st.integers(0, 6), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_length_of_time_reads_as_it_is_written(days, hours, minutes, seconds):
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    assert duration(f"{days}d{hours}h{minutes}m{seconds}s", "--timeout") == length
    assert duration(f"{int(length.total_seconds())}s", "--timeout") == length


@pytest.mark.parametrize("text", ["", "12 hours", "h", "-1h", "8d", "12", "1.5h", "9" * 400, "²h"])
def test_what_is_no_length_of_time_is_refused(text):
    with pytest.raises(InputError, match="--timeout"):
        duration(text, "--timeout")


def test_hosts_that_train_together_are_started_together_again():
    assert scheduling(JobOptions(), T4, workers=1) is None
    assert scheduling(JobOptions(), T4, workers=3).restart_job_on_worker_restart
    assert scheduling(JobOptions(restart_on_worker_restart=False), T4, workers=3) is None
    assert scheduling(JobOptions(restart_on_worker_restart=True), T4, workers=1).restart_job_on_worker_restart


@pytest.mark.parametrize("options", [JobOptions(spot=True, max_wait="1h"), JobOptions(timeout="0")])
def test_contradictions_are_refused(options):
    with pytest.raises(InputError):
        scheduling(options, T4, workers=1)


def test_machines_that_are_waited_for():
    for accelerator in MACHINE_TYPES:
        waited_for = machine(1, accelerator)
        if accelerator in FLEXIBLE:
            assert scheduling(JobOptions(max_wait="6h"), waited_for, workers=1).strategy.name == "FLEX_START"
        else:
            with pytest.raises(InputError, match=f"--max-wait is for .*; got {accelerator}"):
                scheduling(JobOptions(max_wait="6h"), waited_for, workers=1)
    with pytest.raises(InputError, match="got no GPUs"):
        scheduling(JobOptions(max_wait="6h"), machine(0), workers=1)


def test_small_h100_machines_are_no_standard_machines():
    h100 = machine(1, "NVIDIA_H100_80GB")
    with pytest.raises(InputError, match="a3-highgpu-1g is no standard machine: give --spot, or --max-wait"):
        scheduling(JobOptions(), h100, workers=1)
    assert scheduling(JobOptions(spot=True), h100, workers=1).strategy.name == "SPOT"
    assert scheduling(JobOptions(), machine(8, "NVIDIA_H100_80GB"), workers=1) is None
