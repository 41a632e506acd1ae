"""Models, endpoints and predictions, by Google's own clients."""

import json
import threading
from typing import Any

import pytest
from google.api import httpbody_pb2
from google.api_core import exceptions
from google.cloud.aiplatform_v1 import (
    EndpointServiceClient,
    ModelServiceClient,
    PipelineServiceClient,
    PredictionServiceClient,
)

from rehearsal.vertex_ai import Deployment, JobFailedError

PARENT = "projects/my-project/locations/europe-west4"


def model(name: str = "digits", **more: Any) -> dict[str, Any]:
    container = {
        "image_uri": "europe-west4-docker.pkg.dev/p/r/serving:v1",
        "predict_route": "/vertex/predict",
        "health_route": "/vertex/health",
        "ports": [{"container_port": 8080}],
    }
    return {"display_name": name, "container_spec": container, "artifact_uri": "gs://bucket/bundle", **more}


@pytest.fixture
def models(client) -> Any:
    return client(ModelServiceClient)


@pytest.fixture
def endpoints(client) -> Any:
    return client(EndpointServiceClient)


def upload(models: Any, **request: Any) -> Any:
    return models.upload_model(request={"parent": PARENT, "model": model(), **request}).result(timeout=30)


def new_endpoint(endpoints: Any, **more: Any) -> str:
    made = endpoints.create_endpoint(parent=PARENT, endpoint={"display_name": "digits", **more})
    return str(made.result(timeout=30).name)


def deploy(endpoints: Any, endpoint: str, name: str, split: dict[str, int]) -> str:
    deployed = {
        "model": name,
        "dedicated_resources": {
            "machine_spec": {"machine_type": "n1-standard-2"},
            "min_replica_count": 1,
            "max_replica_count": 2,
        },
    }
    operation = endpoints.deploy_model(endpoint=endpoint, deployed_model=deployed, traffic_split=split)
    return str(operation.result(timeout=30).deployed_model.id)


def test_a_model_has_versions_and_an_alias_stands_at_one_of_them(models):
    first = upload(models, model=model(version_aliases=["champion"]))
    second = upload(models, parent_model=first.model, model=model(version_description="better"))
    assert (first.model, second.model_version_id) == (second.model, "2")
    assert models.get_model(name=first.model).version_id == "1"
    models.merge_version_aliases(name=f"{first.model}@2", version_aliases=["champion", "default"])
    assert models.get_model(name=f"{first.model}@champion").version_description == "better"
    listed = models.list_model_versions(name=first.model)
    assert [(one.version_id, list(one.version_aliases)) for one in listed] == [
        ("2", ["champion", "default"]),
        ("1", []),
    ]
    (found,) = models.list_models(request={"parent": PARENT, "filter": 'display_name="digits"'})
    assert found.version_id == "2"
    models.delete_model_version(name=f"{first.model}@1").result(timeout=30)
    with pytest.raises(exceptions.BadRequest, match="default version"):
        models.delete_model_version(name=f"{first.model}@2")
    models.delete_model(name=first.model).result(timeout=30)
    with pytest.raises(exceptions.NotFound):
        models.get_model(name=first.model)


def test_a_name_is_taken_once(models):
    upload(models, model_id="digits")
    with pytest.raises(exceptions.Conflict, match="parent_model"):
        upload(models, model_id="digits")
    with pytest.raises(exceptions.BadRequest, match="model_id"):
        upload(models, model_id="1-digits")


def test_an_operation_is_pending_at_the_first_look(service, models):
    operation = models.upload_model(parent=PARENT, model=model())
    assert not operation.done()
    assert operation.done()
    looks = [asked.path for asked in service.requests if "/operations/" in asked.path]
    assert len(looks) == 2


def test_predictions_follow_the_traffic_split(service, client, models, endpoints, loopback):
    heard = []

    def answer(request, body):
        heard.append((request.path, json.loads(body)))
        return 200, {"Content-Type": "application/json"}, json.dumps({"predictions": [request.path]}).encode()

    stopped = []

    def serve(deployment: Deployment) -> str:
        deployment.stop = lambda: stopped.append(deployment.deployed_model_id)
        assert deployment.model.artifact_uri == "gs://bucket/bundle"
        return loopback(answer)

    service.serve = serve
    name = upload(models).model
    endpoint = new_endpoint(endpoints)
    old = deploy(endpoints, endpoint, name, {"0": 100})
    canary = deploy(endpoints, endpoint, name, {"0": 10, old: 90})
    predictions = client(PredictionServiceClient)
    answers = [predictions.predict(endpoint=endpoint, instances=[{"b64": "aGk="}]) for _ in range(20)]
    assert [answer.deployed_model_id for answer in answers].count(canary) == 2
    assert answers[0].model_version_id == "1"
    assert heard[0] == ("/vertex/predict", {"instances": [{"b64": "aGk="}]})
    body = httpbody_pb2.HttpBody(data=b'{"instances": [1]}', content_type="application/json")
    raw = predictions.raw_predict(endpoint=endpoint, http_body=body)
    assert json.loads(raw.data) == {"predictions": ["/vertex/predict"]}

    with pytest.raises(exceptions.BadRequest, match="has traffic"):
        endpoints.undeploy_model(endpoint=endpoint, deployed_model_id=old)
    endpoints.update_endpoint(
        endpoint={"name": endpoint, "traffic_split": {canary: 100, old: 0}},
        update_mask={"paths": ["traffic_split"]},
    )
    endpoints.undeploy_model(endpoint=endpoint, deployed_model_id=old).result(timeout=30)
    assert stopped == [old]
    left = endpoints.get_endpoint(name=endpoint)
    assert dict(left.traffic_split) == {canary: 100}
    with pytest.raises(exceptions.BadRequest, match="undeploy them first"):
        endpoints.delete_endpoint(name=endpoint)
    with pytest.raises(exceptions.BadRequest, match="is deployed to"):
        models.delete_model(name=name)
    change = {"id": canary, "dedicated_resources": {"min_replica_count": 2, "max_replica_count": 4}}
    mask = {"paths": ["dedicated_resources.min_replica_count", "dedicated_resources.max_replica_count"]}
    endpoints.mutate_deployed_model(endpoint=endpoint, deployed_model=change, update_mask=mask).result(
        timeout=30
    )
    (deployed,) = endpoints.get_endpoint(name=endpoint).deployed_models
    assert deployed.dedicated_resources.max_replica_count == 4


def test_a_model_that_does_not_start_leaves_the_endpoint_as_it_was(service, models, endpoints):
    def serve(deployment: Deployment) -> str:
        raise JobFailedError("Model server exited unexpectedly.")

    service.serve = serve
    endpoint = new_endpoint(endpoints)
    with pytest.raises(exceptions.GoogleAPICallError, match="exited unexpectedly"):
        deploy(endpoints, endpoint, upload(models).model, {"0": 100})
    assert not endpoints.get_endpoint(name=endpoint).deployed_models


def test_a_slow_start_keeps_the_operation_pending(service, models, endpoints):
    ready = threading.Event()
    service.serve = lambda deployment: str(ready.wait(30)) and "echo:"
    endpoint = new_endpoint(endpoints)
    resources = {"machine_spec": {"machine_type": "n1-standard-2"}, "min_replica_count": 1}
    operation = endpoints.deploy_model(
        endpoint=endpoint,
        deployed_model={"model": upload(models).model, "dedicated_resources": resources},
        traffic_split={"0": 100},
    )
    assert [operation.done() for _ in range(3)] == [False] * 3
    with pytest.raises(exceptions.BadRequest, match="other operations running"):
        deploy(endpoints, endpoint, upload(models).model, {"0": 100})
    ready.set()
    operation.result(timeout=30)


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ((400, {}, b'{"error": "not an image"}'), exceptions.BadRequest),
        ((200, {}, b"no JSON"), exceptions.InternalServerError),
        ((503, {}, b"busy"), exceptions.ServiceUnavailable),
    ],
)
def test_a_models_error_is_the_callers(service, client, models, endpoints, loopback, answer, raised):
    service.serve = lambda deployment: loopback(lambda request, body: answer)
    endpoint = new_endpoint(endpoints)
    with pytest.raises(exceptions.BadRequest, match="no deployed model"):
        client(PredictionServiceClient).predict(endpoint=endpoint, instances=[1])
    deploy(endpoints, endpoint, upload(models).model, {"0": 100})
    with pytest.raises(raised):
        client(PredictionServiceClient).predict(endpoint=endpoint, instances=[1])


def test_a_request_that_is_too_large_is_refused(service, client, models, endpoints):
    endpoint = new_endpoint(endpoints)
    deploy(endpoints, endpoint, upload(models).model, {"0": 100})
    with pytest.raises(exceptions.BadRequest, match="exceeds the limit: 1572864"):
        client(PredictionServiceClient).predict(endpoint=endpoint, instances=["x" * 1_600_000])


@pytest.mark.parametrize("split", [{"0": 90}, {"0": 50, "77": 50}])
def test_a_split_is_of_100_percent_and_of_models_that_are_there(models, endpoints, split):
    with pytest.raises(exceptions.BadRequest, match="traffic_split"):
        deploy(endpoints, new_endpoint(endpoints), upload(models).model, split)


def test_a_probe_may_wait_until_the_next_is_due(models):
    def probed(period: int, timeout: int) -> dict[str, Any]:
        probe = {"http_get": {"path": "/"}, "period_seconds": period, "timeout_seconds": timeout}
        made = model()
        return {**made, "container_spec": {**made["container_spec"], "health_probe": probe}}

    upload(models, model=probed(10, 10))
    with pytest.raises(exceptions.BadRequest, match="must be greater or equal"):
        upload(models, model=probed(10, 5))


def test_a_pipeline_job_is_taken_and_passes(client):
    pipelines = client(PipelineServiceClient)
    spec = {"schemaVersion": "2.1.0", "pipelineInfo": {"name": "p"}, "root": {}, "deploymentSpec": {}}
    job = {
        "display_name": "p",
        "pipeline_spec": spec,
        "runtime_config": {"gcs_output_directory": "gs://bucket/pipeline"},
    }
    made = pipelines.create_pipeline_job(parent=PARENT, pipeline_job=job, pipeline_job_id="chrysalis-1")
    assert made.name.endswith("/pipelineJobs/chrysalis-1")
    seen = [pipelines.get_pipeline_job(name=made.name).state.name for _ in range(4)]
    assert [state.removeprefix("PIPELINE_STATE_") for state in seen] == [
        "PENDING",
        "RUNNING",
        "SUCCEEDED",
        "SUCCEEDED",
    ]
    with pytest.raises(exceptions.BadRequest, match="gs://"):
        pipelines.create_pipeline_job(parent=PARENT, pipeline_job={**job, "runtime_config": {}})
