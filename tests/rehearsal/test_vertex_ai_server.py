"""What the server does for every service: logs, secrets, faults, records; and Google's high-level client."""

import base64
import os
import subprocess
import sys

import pytest
import requests
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import logging
from google.cloud.aiplatform_v1 import JobServiceClient, TensorboardServiceClient

from rehearsal.vertex_ai import Job, Recorded, VertexAI, readable
from rehearsal.vertex_ai.errors import RefusedError
from rehearsal.vertex_ai.filters import matcher

PARENT = "projects/my-project/locations/europe-west4"


def test_what_jobs_write_is_read_from_cloud_logging(service, client, job_spec):
    def write(job: Job) -> None:
        for number in range(5):
            job.log(f"line {number}")
        job.log('{"event": "done"}', severity="ERROR", replica="workerpool1-0")

    service.run = write
    jobs = client(JobServiceClient)
    one, _ = (
        jobs.create_custom_job(parent=PARENT, custom_job={"display_name": name, "job_spec": job_spec})
        for name in ("one", "other")
    )
    while jobs.get_custom_job(name=one.name).state.name != "JOB_STATE_SUCCEEDED":
        pass
    reader = logging.Client(
        project="my-project",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": service.url},
        _use_grpc=False,
    )
    only = f'resource.type="ml_job" resource.labels.job_id="{one.name.rpartition("/")[2]}"'
    entries = list(reader.list_entries(filter_=only, order_by=logging.ASCENDING, page_size=2))
    assert [entry.payload["message"] for entry in entries] == [
        *(f"line {number}" for number in range(5)),
        '{"event": "done"}',
    ]
    assert sorted(entry.timestamp for entry in entries) == [entry.timestamp for entry in entries]
    assert len({entry.insert_id for entry in entries}) == 6
    newer = f'{only} AND timestamp>"{entries[3].timestamp.isoformat()}" AND severity>=WARNING'
    (last,) = reader.list_entries(filter_=newer, order_by=logging.DESCENDING)
    assert last.resource.labels["task_name"] == "workerpool1-0"
    with pytest.raises(exceptions.BadRequest, match="Unparseable filter"):
        list(reader.list_entries(filter_="resource.type="))


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("", True),
        ('labels.stage="train"', True),
        ("labels.stage=train AND NOT state=JOB_STATE_RUNNING", False),
        ('labels."ml.googleapis.com/trial_id"="1"', True),
        ('(state="JOB_STATE_QUEUED" OR state="JOB_STATE_RUNNING") display_name:"igit"', True),
        ('state="JOB_STATE_QUEUED" OR labels:stage AND labels.stage!="train"', False),
        ('create_time>"2026-11-22T04:00:00Z"', True),
        ('create_time>="2026-11-22T06:00:00.5+01:00"', False),
        ('id="4560000000000000001"', True),
        ('id="4560000000000000002"', False),
        ('display_name=~"^d.*s$"', True),
        ('display_name="a \\"quoted\\" one"', False),
        ("missing=1", False),
        ("missing!=1", True),
    ],
)
def test_filters(text, taken):
    entry = {
        "display_name": "digits",
        "state": "JOB_STATE_RUNNING",
        "id": "4560000000000000001",
        "create_time": "2026-11-22T04:00:00.123456789Z",
        "labels": {"stage": "train", "ml.googleapis.com/trial_id": "1"},
    }
    assert matcher(text)(entry) is taken


@pytest.mark.parametrize(
    "text", ["a", "a=", "a=b)", "(a=b", "a=b AND", '"open', "a b c", "=b", "a=AND", "NOT=b"]
)
def test_filters_that_cannot_be_read_are_refused(text):
    with pytest.raises(RefusedError, match="Unparseable filter"):
        matcher(text)


def test_secrets_are_given_by_name_and_never_taken_by_value(service, client, job_spec):
    service.secrets["wandb"] = "0123-abcd"
    url = f"{service.url}/v1/projects/my-project/secrets/wandb/versions/latest:access"
    payload = requests.get(url, timeout=10).json()["payload"]
    assert base64.b64decode(payload["data"]) == b"0123-abcd"
    assert requests.get(url.replace("wandb", "other"), timeout=10).status_code == 404

    jobs = client(JobServiceClient)
    job_spec["worker_pool_specs"][0]["container_spec"]["args"] = ["--tag=0123-abcd"]
    with pytest.raises(exceptions.BadRequest, match="secret wandb stands in the request") as refused:
        jobs.create_custom_job(parent=PARENT, custom_job={"display_name": "job", "job_spec": job_spec})
    assert "0123-abcd" not in str(refused.value)


def test_faults_come_when_they_are_asked_for(service, client, job_spec):
    jobs = client(JobServiceClient)
    job = {"display_name": "job", "job_spec": job_spec}
    service.outages = 1
    with pytest.raises(exceptions.ServiceUnavailable):
        jobs.create_custom_job(parent=PARENT, custom_job=job)
    service.refuse(403, "Permission 'aiplatform.customJobs.create' denied")
    service.refuse(429, "Quota exceeded")
    assert not list(jobs.list_custom_jobs(parent=PARENT))
    with pytest.raises(exceptions.Forbidden, match=r"customJobs\.create"):
        jobs.create_custom_job(parent=PARENT, custom_job=job)
    with pytest.raises(exceptions.TooManyRequests):
        jobs.create_custom_job(parent=PARENT, custom_job=job)
    jobs.create_custom_job(parent=PARENT, custom_job=job)
    assert [asked.method for asked in service.requests] == ["POST", "GET", "POST", "POST", "POST"]


def test_requests_are_recorded_and_readable(service, client, job_spec):
    job_spec["scheduling"] = {"strategy": "SPOT", "timeout": {"seconds": 60}}
    created = client(JobServiceClient).create_custom_job(
        parent=PARENT,
        custom_job={"display_name": "chrysalis-train-digits-20261122-043000", "job_spec": job_spec},
    )
    (asked,) = service.requests
    assert asked.body["jobSpec"]["scheduling"]["strategy"] == 4
    shown = readable(asked)
    assert shown["request"] == f"POST /v1/{PARENT}/customJobs"
    assert shown["body"]["displayName"] == "chrysalis-train-digits-DATE-TIME"
    assert shown["body"]["jobSpec"]["scheduling"] == {"strategy": "SPOT", "timeout": "60s"}
    client(JobServiceClient).get_custom_job(name=created.name)
    assert readable(service.requests[1])["request"].endswith("/customJobs/ID")


def test_two_ids_stay_two_when_masked():
    body = {"trafficSplit": {"4560000000000000001": 90, "4560000000000000002": 10}}
    shown = readable(Recorded("PATCH", "/v1/x", {"$alt": "json"}, {}, body))
    assert shown == {"request": "PATCH /v1/x", "body": {"trafficSplit": {"ID": 90, "ID-2": 10}}}


@pytest.mark.parametrize("path", ["/v1/projects/p/locations/r/datasets", "/", "/v1/x:y"])
def test_what_is_not_there_is_not_found(service, path):
    answer = requests.get(service.url + path, timeout=10)
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_no_json_is_a_refusal(service):
    answer = requests.post(f"{service.url}/v1/{PARENT}/customJobs", data=b"\xff{", timeout=10)
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_tensorboards(client):
    boards = client(TensorboardServiceClient)
    made = boards.create_tensorboard(parent=PARENT, tensorboard={"display_name": "board"}).result(timeout=30)
    assert boards.get_tensorboard(name=made.name).display_name == "board"


HIGH_LEVEL = """
import sys, time
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
aiplatform.init(project="my-project", location="europe-west4", api_endpoint=sys.argv[1], api_transport="rest",
                credentials=AnonymousCredentials(), staging_bucket="gs://bucket")
pool = {"machine_spec": {"machine_type": "n1-standard-8"}, "replica_count": 1,
        "container_spec": {"image_uri": "a.pkg.dev/p/r/records:v1"}}
job = aiplatform.CustomJob(display_name="job", worker_pool_specs=[pool])
job.submit()
while job.state.name != "JOB_STATE_SUCCEEDED":
    time.sleep(0.05)
model = aiplatform.Model.upload(display_name="digits", artifact_uri="gs://bucket/bundle",
                                serving_container_image_uri="a.pkg.dev/p/r/serving:v1",
                                version_aliases=["champion"])
endpoint = aiplatform.Endpoint.create(display_name="digits")
endpoint.deploy(model, machine_type="n1-standard-2", traffic_percentage=100)
print(endpoint.predict([{"a": 1}]).predictions, model.version_aliases)
endpoint.delete(force=True)
print(len(aiplatform.Endpoint.list()))
"""


def test_the_high_level_client_works(service: VertexAI):
    done = subprocess.run(
        [sys.executable, "-c", HIGH_LEVEL, service.url],
        env={**os.environ, "GOOGLE_CLOUD_PROJECT": "my-project"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert printed[-1] == "0"
    assert "[{'a': 1.0}] ['champion', 'default']" in printed
