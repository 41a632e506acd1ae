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

FAMILIES: dict[str, tuple[str, ...]] = {
    "n1-": ("NVIDIA_TESLA_T4", "NVIDIA_TESLA_P4", "NVIDIA_TESLA_P100", "NVIDIA_TESLA_V100"),
    "g2-": ("NVIDIA_L4",),
    "a2-highgpu-": ("NVIDIA_TESLA_A100",),
    "a2-ultragpu-": ("NVIDIA_A100_80GB",),
    "a3-highgpu-": ("NVIDIA_H100_80GB",),
}
"""By how a machine's name begins, what it may hold, the usual one first; any but an n1 has a fixed number."""


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
    """Choose a machine with `gpu` accelerators: without a kind, the one that the machine type is made for.

    Raises:
        InputError: there is no such accelerator, not so many in one machine, or not in one of this type.
    """
    if gpu == 0:
        return _without_gpu(accelerator, machine_type or CPU_MACHINE)
    held = accelerators(machine_type) if machine_type else (DEFAULT_ACCELERATOR,)
    if not held:
        raise InputError(
            f"--machine-type {machine_type} holds no GPUs: expected one that begins with "
            f"{', '.join(FAMILIES)}"
        )
    accelerator = accelerator or held[0]
    counts = MACHINE_TYPES.get(accelerator)
    if counts is None:
        raise InputError(f"expected --accelerator to be one of {', '.join(MACHINE_TYPES)}; got {accelerator}")
    if gpu not in counts:
        allowed = ", ".join(str(count) for count in counts)
        raise InputError(f"a machine holds {allowed} of {accelerator}; got --gpu {gpu}")
    if machine_type is None:
        return Machine(counts[gpu], accelerator, gpu)
    if accelerator not in held:
        raise InputError(f"--machine-type {machine_type} holds {' or '.join(held)}; got {accelerator}")
    if (fixed := _fixed_count(machine_type)) not in (None, gpu):
        raise InputError(f"--machine-type {machine_type} holds {fixed} of {accelerator}; got --gpu {gpu}")
    return Machine(machine_type, accelerator, gpu)


def accelerators(machine_type: str) -> tuple[str, ...]:
    """What a machine of this type may hold, the usual one first; empty: none that is known."""
    return next((held for family, held in FAMILIES.items() if machine_type.startswith(family)), ())


def _without_gpu(accelerator: str | None, machine_type: str) -> Machine:
    if accelerator:
        raise InputError(
            f"--accelerator {accelerator} without GPUs: give train's --gpu 1 or more, or drop it"
        )
    if accelerators(machine_type) and not machine_type.startswith("n1-"):
        raise InputError(
            f"--machine-type {machine_type} comes with GPUs: give train's --gpu, or a machine without, such "
            f"as {CPU_MACHINE}"
        )
    return Machine(machine_type)


def _fixed_count(machine_type: str) -> int | None:
    """How many GPUs a machine type comes with: a2-highgpu-4g 4, g2-standard-24 2; None where any will do."""
    size = machine_type.rpartition("-")[2]
    if machine_type.startswith("n1-"):
        return None
    if machine_type.startswith("g2-"):
        return {"24": 2, "48": 4, "96": 8}.get(size, 1)
    return int(size.removesuffix("g")) if size.removesuffix("g").isdecimal() else None
