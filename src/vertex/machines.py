"""Which machine a job gets: from how many GPUs of which kind.

The counts are those that Vertex AI attaches to one machine; the machine types are the usual ones for them,
and any other can be named.
"""

from dataclasses import dataclass

from contracts.errors import InputError

CPU_MACHINE = "n1-standard-8"
DEFAULT_ACCELERATOR = "NVIDIA_TESLA_T4"

MACHINE_TYPES: dict[str, dict[int, str]] = {
    "NVIDIA_TESLA_T4": {1: "n1-standard-8", 2: "n1-standard-16", 4: "n1-standard-32"},
    "NVIDIA_TESLA_P4": {1: "n1-standard-8", 2: "n1-standard-16", 4: "n1-standard-32"},
    "NVIDIA_TESLA_P100": {1: "n1-standard-8", 2: "n1-standard-16", 4: "n1-standard-32"},
    "NVIDIA_TESLA_V100": {1: "n1-standard-8", 2: "n1-standard-16", 4: "n1-standard-32", 8: "n1-standard-64"},
    "NVIDIA_L4": {1: "g2-standard-12", 2: "g2-standard-24", 4: "g2-standard-48", 8: "g2-standard-96"},
    "NVIDIA_TESLA_A100": {1: "a2-highgpu-1g", 2: "a2-highgpu-2g", 4: "a2-highgpu-4g", 8: "a2-highgpu-8g"},
    "NVIDIA_A100_80GB": {1: "a2-ultragpu-1g", 2: "a2-ultragpu-2g", 4: "a2-ultragpu-4g", 8: "a2-ultragpu-8g"},
    "NVIDIA_H100_80GB": {1: "a3-highgpu-1g", 2: "a3-highgpu-2g", 4: "a3-highgpu-4g", 8: "a3-highgpu-8g"},
}
"""By accelerator (as the service names it) and count, the machine that holds it."""


@dataclass(frozen=True)
class Machine:
    """One machine: its type, and the accelerators in it (None and 0: no GPU)."""

    type: str
    accelerator: str | None = None
    accelerator_count: int = 0


def gpu_count(text: str) -> int:
    """Read --gpu of a machine that is yet to be chosen.

    Raises:
        InputError: it is no number; `all` can't be known.
    """
    if text == "all":
        raise InputError(
            "--gpu all can't be known before there is a machine: say how many it shall have, as in --gpu 4"
        )
    if not text.isdecimal():
        raise InputError(f"expected --gpu to be a number, 0 for a CPU; got {text!r}")
    return int(text)


def machine(gpu: int, accelerator: str | None = None, machine_type: str | None = None) -> Machine:
    """Choose a machine with `gpu` accelerators.

    Raises:
        InputError: there is no such accelerator, or not so many in one machine.
    """
    if gpu == 0:
        if accelerator:
            raise InputError(
                f"--accelerator {accelerator} without GPUs: give train's --gpu 1 or more, or drop it"
            )
        return Machine(machine_type or CPU_MACHINE)
    accelerator = accelerator or DEFAULT_ACCELERATOR
    counts = MACHINE_TYPES.get(accelerator)
    if counts is None:
        raise InputError(f"expected --accelerator to be one of {', '.join(MACHINE_TYPES)}; got {accelerator}")
    if gpu not in counts:
        allowed = ", ".join(str(count) for count in counts)
        raise InputError(f"a machine holds {allowed} of {accelerator}; got --gpu {gpu}")
    return Machine(machine_type or counts[gpu], accelerator, gpu)
