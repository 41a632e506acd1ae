import re

import pytest
from google.cloud.aiplatform_v1.types import AcceleratorType
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import InputError
from vertex.jobs.job import label
from vertex.machines import MACHINE_TYPES, Machine, machine


@given(st.text())
def test_any_text_becomes_a_label(text):
    assert re.fullmatch(r"[a-z0-9_-]{0,63}", label(text))


@pytest.mark.parametrize("accelerator", MACHINE_TYPES)
def test_every_accelerator_is_one_the_service_knows(accelerator):
    assert accelerator in AcceleratorType.__members__


@pytest.mark.parametrize(
    ("gpu", "machine_type"), [(0, "n1-standard-8"), (1, "n1-standard-8"), (4, "n1-standard-32")]
)
def test_gpus_choose_the_machine(gpu, machine_type):
    chosen = machine(gpu)
    assert (chosen.type, chosen.accelerator_count) == (machine_type, gpu)
    assert chosen.accelerator == ("NVIDIA_TESLA_T4" if gpu else None)


def test_a_named_machine_wins_and_says_which_gpus():
    assert machine(1, None, "n1-highmem-8") == Machine("n1-highmem-8", "NVIDIA_TESLA_T4", 1)
    assert machine(1, None, "g2-standard-12") == Machine("g2-standard-12", "NVIDIA_L4", 1)
    for accelerator, machines in MACHINE_TYPES.items():
        for count, machine_type in machines.items():
            assert machine(count, accelerator, machine_type) == machine(count, accelerator)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((0, None, "a2-highgpu-1g"), "a2-highgpu-1g comes with GPUs"),
        ((1, "NVIDIA_TESLA_T4", "g2-standard-12"), "holds NVIDIA_L4; got NVIDIA_TESLA_T4"),
        ((4, None, "g2-standard-24"), "holds 2 of NVIDIA_L4; got --gpu 4"),
        ((1, None, "n2-standard-8"), "n2-standard-8 holds no GPUs"),
    ],
)
def test_machines_that_there_are_not_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        machine(*given)
