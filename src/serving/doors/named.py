"""The model that a path names, in its segments `name` and perhaps `version` or `label`."""

from reprlib import repr as shortened
from typing import Final

from starlette.requests import Request

from serving.errors import NotFoundHereError
from serving.loading import Served
from serving.service import Service

LABEL: Final = "stable"
"""The served version's label, the one of TensorFlow Serving's documentation; there is no other."""


def find_model(request: Request, service: Service) -> Served:
    """Find the model that the path names.

    Raises:
        NotFoundHereError: it isn't the one that is served, or not in that version.
        NotReadyError: nothing is served yet.
    """
    model = service.model
    for segment, served in {"name": model.name, "version": str(model.version), "label": LABEL}.items():
        asked = request.path_params.get(segment, served)
        if asked != served:
            what = "model" if segment == "name" else f"{segment} of the model {model.name}"
            raise NotFoundHereError(f"no {what} is {shortened(asked)} here: expected {served}")
    return model
