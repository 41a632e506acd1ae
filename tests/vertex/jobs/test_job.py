import re

import pytest
from google.cloud.aiplatform_v1.types import AcceleratorType
from hypothesis import given
from hypothesis import strategies as st

from vertex.jobs.job import label
from vertex.machines import MACHINE_TYPES, machine


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


def test_a_named_machine_wins():
    assert machine(1, None, "n1-highmem-8").type == "n1-highmem-8"
