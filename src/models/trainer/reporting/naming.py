"""What people call the network of a run."""

from models.trainer.run_facts import RunFacts


def network_name(run: RunFacts) -> str:
    """The folder under `models/`, or what was chosen in it: `vgg16`, `cnn conv-deep`, `EfficientNetB0`."""
    if network := run.config.get("network"):
        return str(network)
    variant = run.config.get("variant")
    return f"{run.architecture} {variant}" if variant else run.architecture
