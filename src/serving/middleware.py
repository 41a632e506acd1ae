"""What every request passes on its way to a door, the outermost first."""

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.buffers import BoundedBuffers, Budget
from serving.deadline import Deadline
from serving.exchange import Exchanges
from serving.logs import make_request_log
from serving.metrics import Metrics
from serving.security import SecurityHeaders
from serving.settings import Settings


class WholeFiles:
    """ASGI middleware that takes no ranges, as HTTP allows: the files are small, and every error is JSON."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if any(name == b"range" for name, _ in scope.get("headers", ())):
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"range"]
        await self.app(scope, receive, send)


def make_middleware(settings: Settings, metrics: Metrics) -> list[Middleware]:
    """Make the layers of an application.

    The headers stand outside, so that an answer to a failure has them too; then what tells of all that
    follows; the deadline, and within it whatever takes memory.
    """
    budget = Budget(settings.max_buffered_bytes)
    metrics.watch("chrysalis_buffered_bytes", "Of requests' bodies under way.", lambda: budget.held)
    metrics.watch("chrysalis_buffer_bytes", "That those may be.", lambda: settings.max_buffered_bytes)
    metrics.watch("chrysalis_queue_capacity", "Images that may wait.", lambda: settings.max_waiting)
    quiet = {"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/metrics"}
    log_request = make_request_log(quiet={*quiet, settings.vertex_health_route})
    return [
        Middleware(SecurityHeaders),
        Middleware(Exchanges, tell=[log_request, metrics.count]),
        Middleware(WholeFiles),
        Middleware(Deadline, seconds=settings.request_timeout_s),
        Middleware(BoundedBuffers, budget=budget),
    ]
