"""What people call the network of a run, and how they read a setting."""

from contracts.search_parameter import Value
from models.trainer.run_facts import RunFacts


def network_name(run: RunFacts) -> str:
    """The folder under `models/`, or what was chosen in it: `vgg16`, `cnn conv-deep`, `EfficientNetB0`."""
    if network := run.config.get("network"):
        return str(network)
    variant = run.config.get("variant")
    return f"{run.architecture} {variant}" if variant else run.architecture


def readable(value: Value) -> Value:
    """A parameter's value in four significant digits, and whole numbers without a point."""
    if isinstance(value, str):
        return value
    return int(value) if float(value).is_integer() else float(f"{value:.4g}")
