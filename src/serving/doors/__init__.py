"""The doors: what each path takes and answers. One module for each kind of client, over one `Service`."""

from starlette.routing import Route

from serving.buckets import Buckets
from serving.doors.docs import make_docs_doors
from serving.doors.get_prediction import make_get_prediction_doors
from serving.doors.health import make_health_doors
from serving.doors.metrics import make_metrics_doors
from serving.doors.open_inference import make_open_inference_doors
from serving.doors.predict import make_predict_doors
from serving.doors.reload import make_reload_doors
from serving.doors.tf_serving import make_tf_serving_doors
from serving.service import Service


def make_doors(service: Service) -> list[Route]:
    """Lay the routes of a server; of two with the same path the first counts."""
    buckets = Buckets(service.settings)
    return [
        *make_health_doors(service),
        *make_reload_doors(service),
        *make_predict_doors(service, buckets),
        *make_get_prediction_doors(service, buckets),
        *make_tf_serving_doors(service),
        *make_open_inference_doors(service),
        *make_metrics_doors(service),
        *make_docs_doors(service),
    ]
