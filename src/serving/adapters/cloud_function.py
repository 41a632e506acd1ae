"""A Cloud Function: `functions-framework --target get_prediction --source …/cloud_function.py`.

In: POST `{"bucket": "…", "filename": "…"}` to any path. Out: what `POST /get-prediction` of the server
answers, with the same statuses and limits. Settings come from the environment: CHRYSALIS_MODEL,
CHRYSALIS_ALLOW_BUCKETS and the others.
"""

import os
import threading
from functools import cache
from typing import Any

from contracts.console import log
from contracts.errors import InputError, StageError
from serving.adapters.in_memory import InMemory
from serving.settings import Settings

_one_at_a_time = threading.Lock()


def get_prediction(request: Any) -> Any:
    """Answer a Flask request: body, status, headers."""
    try:
        app = _app()
    except (InputError, StageError) as error:
        log("the model can't be served", error=str(error))
        return {"error": "the model can't be served; the function's log says why"}, 500
    answer = app.ask(request.method, "/get-prediction", request.headers.items(), request.get_data())
    return answer.body, answer.status, answer.headers


def _app() -> InMemory:
    # At the first request: before, gunicorn forks, and no thread of the model's would live on.
    with _one_at_a_time:
        return _loaded()


@cache
def _loaded() -> InMemory:
    return InMemory(Settings.from_environment(os.environ))
