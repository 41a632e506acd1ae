from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import InputError
from vertex.jobs.job_options import JobOptions
from vertex.jobs.scheduling import duration, scheduling


@given(st.integers(0, 6), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_length_of_time_reads_as_it_is_written(days, hours, minutes, seconds):
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    assert duration(f"{days}d{hours}h{minutes}m{seconds}s", "--timeout") == length
    assert duration(str(int(length.total_seconds())), "--timeout") == length


@pytest.mark.parametrize("text", ["", "12 hours", "h", "-1h", "8d", "1.5h", "9" * 400, "²h"])
def test_what_is_no_length_of_time_is_refused(text):
    with pytest.raises(InputError, match="--timeout"):
        duration(text, "--timeout")


def test_hosts_that_train_together_are_started_together_again():
    assert scheduling(JobOptions(), workers=1) is None
    assert scheduling(JobOptions(), workers=3).restart_job_on_worker_restart
    assert scheduling(JobOptions(restart_on_worker_restart=False), workers=3) is None
    assert scheduling(JobOptions(restart_on_worker_restart=True), workers=1).restart_job_on_worker_restart


@pytest.mark.parametrize("options", [JobOptions(spot=True, max_wait="1h"), JobOptions(timeout="0")])
def test_contradictions_are_refused(options):
    with pytest.raises(InputError):
        scheduling(options, workers=1)
