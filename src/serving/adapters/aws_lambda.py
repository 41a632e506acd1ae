"""AWS Lambda: `python -m awslambdaric serving.adapters.aws_lambda.handler`.

In: an HTTP event (a function URL, API Gateway, a load balancer), for every door and the page; or, by direct
invocation, the JSON of `POST /predict` (`{"instances": [{"b64": "…"}]}`) or of `POST /get-prediction`
(`{"bucket": "…", "filename": "…"}`), whose answer is that door's JSON. Settings come from the environment:
CHRYSALIS_MODEL and the others. Lambda takes 6 MB a request.
"""

import asyncio
import json
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from mangum import Mangum

from serving.adapters.ready import ready_app
from serving.api_key import read_key
from serving.settings import Settings

Handler = Callable[[Any, Any], Any]


class InvocationError(Exception):
    """An invocation gets no answer; Lambda hands the message to whoever invoked."""


def __getattr__(name: str) -> Handler:
    # Lambda's runtime takes the handler from here in its init phase: then the model is loaded, and neither
    # at the import nor at the first invocation.
    if name == "handler":
        return _handler()
    raise AttributeError(name)


@cache
def _handler() -> Handler:
    return make_handler(Settings.from_environment(os.environ))


def make_handler(settings: Settings) -> Handler:
    """Load the model, and give what takes an event and a context.

    Raises:
        InputError: there is no such bundle, or it isn't blessed and must be.
        StageError: the model can't be loaded, or fails its golden replay.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # where Mangum looks for it
    gateway = Mangum(loop.run_until_complete(ready_app(settings)), lifespan="off")
    key = read_key(settings)

    def handler(event: Any, context: Any) -> Any:
        if isinstance(event, dict) and "requestContext" in event:
            _check(gateway, event, context)
            return gateway(event, context)
        return _read(gateway(_as_request(event, key), context))

    return handler


def _check(gateway: Mangum, event: Any, context: Any) -> None:
    """Refuse what looks like an HTTP event and isn't one, which Mangum would fail at with its own errors."""
    try:
        handler = gateway.infer(event, context)
        _ = handler.scope, handler.body
    except (LookupError, AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise InvocationError(
            "400: expected an HTTP event of a function URL, API Gateway or a load balancer, or the JSON of "
            f"/predict or /get-prediction without requestContext; this one's form is another ({error!r})"
        ) from None


def _as_request(document: Any, key: bytes | None) -> Any:
    """A direct invocation as a function URL's event. Lambda has let its sender in: we add our own key."""
    door = "/predict" if isinstance(document, dict) and "instances" in document else "/get-prediction"
    headers = {"content-type": "application/json", **({"x-api-key": key.decode("latin-1")} if key else {})}
    http = {"method": "POST", "path": door, "sourceIp": "127.0.0.1"}
    return {
        "version": "2.0",
        "requestContext": {"http": http},
        "headers": headers,
        "body": json.dumps(document),
    }


def _read(answer: Any) -> Any:
    document = json.loads(answer["body"])
    if answer["statusCode"] >= 400:
        raise InvocationError(f"{answer['statusCode']}: {document['error']}")
    return document
