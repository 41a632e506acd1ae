"""`GET /metrics`: what the server counts and measures, in Prometheus' text or, where asked, OpenMetrics."""

from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.service import Service


def make_metrics_doors(service: Service) -> list[Route]:
    """Lay `/metrics`."""

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(service.metrics.registry), headers={"content-type": content_type})

    return [Route("/metrics", metrics)]
