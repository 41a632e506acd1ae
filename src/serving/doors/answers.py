"""Probabilities as the project's own JSON: for each image its best class, and the `top` of all.

`{"class": "7", "probability": 0.98, "sure": true, "top": [{"class": "7", "probability": 0.98}, …]}`
"""

from datetime import UTC
from typing import Any

from serving.doors.parameters import Parameters
from serving.loading import Served
from serving.predictor import rank
from serving.service import Classified
from serving.settings import Settings


def describe(classified: Classified, parameters: Parameters) -> list[dict[str, Any]]:
    """A prediction for each image, in their order."""
    names = classified.bundle.class_names
    predictions = []
    for row in classified.probabilities:
        top = [
            {"class": name, "probability": probability}
            for name, probability in rank(row, names, parameters.top_k)
        ]
        sure = float(row.max()) >= parameters.threshold
        predictions.append({**top[0], "sure": sure, "top": top})
    return predictions


def describe_answer(classified: Classified, parameters: Parameters) -> dict[str, Any]:
    """All predictions, and the model that made them."""
    model = classified.model
    return {
        "predictions": describe(classified, parameters),
        "model": {"name": model.name, "version": model.version},
    }


def describe_model(model: Served, settings: Settings) -> dict[str, Any]:
    """What a visitor, or the page, may want to know of the model."""
    bundle = model.bundle
    return {
        "name": model.name,
        "version": model.version,
        "created_at": f"{bundle.created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "architecture": bundle.architecture,
        "dataset": bundle.dataset,
        "image_size": bundle.image.size,
        "runtime": str(model.predictor.runtime.name),
        "metrics": {
            name: int(value) if name == "examples" else value for name, value in bundle.metrics.items()
        },
        "class_names": bundle.class_names,
        "class_info": {name: info.model_dump() for name, info in model.predictor.class_info.items()},
        "threshold": settings.threshold,
        "max_images": settings.max_images,
    }
