"""Custom and tuning jobs, by Google's own client."""

import threading
import time
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.aiplatform_v1 import JobServiceClient
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.vertex_ai import Job, JobFailedError, VertexAI
from rehearsal.vertex_ai.checks import check_labels
from rehearsal.vertex_ai.errors import RefusedError

PARENT = "projects/my-project/locations/europe-west4"
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


def states(look: Any, name: str, seconds: float = 30.0) -> list[str]:
    """The states that a client sees that looks until the end."""
    seen, end = [], time.monotonic() + seconds
    while not seen or seen[-1] not in ENDED:
        assert time.monotonic() < end, seen
        state = look(name=name).state.name.removeprefix("JOB_STATE_")
        if seen[-1:] != [state]:
            seen.append(state)
    return seen


def custom(spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"display_name": "job", "job_spec": spec, **more}


def study(count: int, **more: Any) -> dict[str, Any]:
    return {
        "display_name": "study",
        "max_trial_count": count,
        "parallel_trial_count": 2,
        "study_spec": {
            "metrics": [{"metric_id": "val_accuracy", "goal": "MAXIMIZE"}],
            "parameters": [
                {
                    "parameter_id": "learning_rate",
                    "double_value_spec": {"min_value": 1e-4, "max_value": 1e-1},
                    "scale_type": "UNIT_LOG_SCALE",
                },
                {"parameter_id": "batch", "discrete_value_spec": {"values": [16, 32]}},
                {"parameter_id": "optimizer", "categorical_value_spec": {"values": ["adam", "sgd"]}},
            ],
        },
        **more,
    }


def test_a_client_that_polls_sees_every_state(service, client, job_spec):
    service.run = lambda job: job.tell("RUNNING")
    jobs = client(JobServiceClient)
    job = jobs.create_custom_job(parent=PARENT, custom_job=custom(job_spec, labels={"stage": "records"}))
    assert job.state.name == "JOB_STATE_QUEUED"
    time.sleep(0.2)  # the job has long ended
    assert states(jobs.get_custom_job, job.name) == ["PENDING", "RUNNING", "SUCCEEDED"]
    ended = jobs.get_custom_job(name=job.name)
    assert ended.end_time >= ended.create_time
    assert dict(ended.labels) == {"stage": "records"}


def test_a_restart_shows_as_pending_again(service, client, job_spec):
    def preempted(job: Job) -> None:
        for state in ("RUNNING", "RESTARTING", "RUNNING"):
            job.tell(state)

    service.run = preempted
    jobs = client(JobServiceClient)
    job = jobs.create_custom_job(parent=PARENT, custom_job=custom(job_spec))
    seen = states(jobs.get_custom_job, job.name)
    assert seen == ["PENDING", "RUNNING", "PENDING", "RUNNING", "SUCCEEDED"]


def test_a_failure_has_its_message_and_shows_it_at_the_end(service, client, job_spec):
    def fail(job: Job) -> None:
        raise JobFailedError("The replica workerpool0-0 exited with a non-zero status of 2.")

    heard: list[Job] = []
    service.run = lambda job: heard.append(job) or fail(job)
    jobs = client(JobServiceClient)
    job = jobs.create_custom_job(parent=PARENT, custom_job=custom(job_spec))
    assert not jobs.get_custom_job(name=job.name).error.message
    assert states(jobs.get_custom_job, job.name)[-1] == "FAILED"
    heard[0].log("a late line")
    ended = jobs.get_custom_job(name=job.name)
    assert ended.state.name == "JOB_STATE_FAILED"
    assert "status of 2" in ended.error.message


def test_two_jobs_run_at_once_and_one_is_cancelled(service, client, job_spec):
    both = threading.Barrier(2, timeout=30)

    def wait(job: Job) -> None:
        job.tell("RUNNING")
        both.wait()
        if job.display_name == "long":
            job.cancelled.wait(30)

    service.run = wait
    jobs = client(JobServiceClient)
    long, short = (
        jobs.create_custom_job(parent=PARENT, custom_job={**custom(job_spec), "display_name": name})
        for name in ("long", "short")
    )
    assert states(jobs.get_custom_job, short.name)[-1] == "SUCCEEDED"
    active = 'labels.x!="y" AND (state="JOB_STATE_RUNNING" OR state="JOB_STATE_PENDING")'
    (found,) = jobs.list_custom_jobs(request={"parent": PARENT, "filter": active})
    assert found.name == long.name
    jobs.cancel_custom_job(name=long.name)
    assert states(jobs.get_custom_job, long.name)[-2:] == ["CANCELLING", "CANCELLED"]
    assert jobs.get_custom_job(name=long.name).error.code == 1
    with pytest.raises(exceptions.BadRequest, match=r"cannot be canceled"):
        jobs.cancel_custom_job(name=long.name)


def test_listing_has_pages_newest_first(client, job_spec):
    jobs = client(JobServiceClient)
    for number in range(3):
        jobs.create_custom_job(
            parent=PARENT, custom_job={**custom(job_spec), "display_name": f"job-{number}"}
        )
    pager = jobs.list_custom_jobs(request={"parent": PARENT, "page_size": 2})
    assert [[job.display_name for job in page.custom_jobs] for page in pager.pages] == [
        ["job-2", "job-1"],
        ["job-0"],
    ]
    assert not list(jobs.list_custom_jobs(parent="projects/my-project/locations/us-central1"))


def test_the_server_stops_with_jobs_at_work(job_spec):
    ended = []

    def wait(job: Job) -> None:
        job.cancelled.wait()
        ended.append(job.display_name)

    with VertexAI(run=wait) as service:
        import requests

        for _ in range(2):
            url = f"{service.url}/v1/{PARENT}/customJobs"
            requests.post(url, json=custom(job_spec), timeout=10).raise_for_status()
    assert ended == ["job", "job"]


def test_trials_get_parameters_and_report_metrics(service, client, job_spec):
    heard, lock, at_once, most = [], threading.Lock(), 0, 0
    both = threading.Barrier(2, timeout=30)

    def train(job: Job) -> None:
        nonlocal at_once, most
        with lock:
            at_once, most = at_once + 1, max(most, at_once + 1)
            heard.append((job.trial, job.parameters, job.arguments()))
        if job.trial in ("1", "2"):
            both.wait()
        for step in (1, 2):
            job.measure("val_accuracy", 0.1 * step * int(job.trial), step)
        with lock:
            at_once -= 1

    service.run = train
    jobs = client(JobServiceClient)
    job = jobs.create_hyperparameter_tuning_job(
        parent=PARENT, hyperparameter_tuning_job=study(5, trial_job_spec=job_spec)
    )
    assert states(jobs.get_hyperparameter_tuning_job, job.name) == ["PENDING", "RUNNING", "SUCCEEDED"]
    job = jobs.get_hyperparameter_tuning_job(name=job.name)
    assert most == 2
    assert [trial.id for trial in job.trials] == ["1", "2", "3", "4", "5"]
    best = max(job.trials, key=lambda trial: trial.final_measurement.metrics[0].value)
    assert (best.id, best.final_measurement.step_count) == ("5", 2)
    assert best.final_measurement.metrics[0].value == pytest.approx(1.0)
    for number, parameters, arguments in heard:
        trial = job.trials[int(number) - 1]
        assert {one.parameter_id: one.value for one in trial.parameters} == parameters
        assert 1e-4 <= parameters["learning_rate"] <= 1e-1
        assert f"--batch={parameters['batch']:.0f}" in arguments
    assert len({str(parameters) for _, parameters, _ in heard}) == 5


def test_a_grid_ends_with_its_last_point_and_failed_trials_are_infeasible(service, client, job_spec):
    def train(job: Job) -> None:
        if job.parameters["optimizer"] == "sgd":
            raise JobFailedError("out of memory")
        job.measure("val_accuracy", 0.5, 1)

    service.run = train
    message = study(20, trial_job_spec=job_spec)
    message["study_spec"]["algorithm"] = "GRID_SEARCH"
    del message["study_spec"]["parameters"][0]
    jobs = client(JobServiceClient)
    job = jobs.create_hyperparameter_tuning_job(parent=PARENT, hyperparameter_tuning_job=message)
    assert states(jobs.get_hyperparameter_tuning_job, job.name)[-1] == "SUCCEEDED"
    trials = jobs.get_hyperparameter_tuning_job(name=job.name).trials
    assert sorted(trial.state.name for trial in trials) == ["INFEASIBLE"] * 2 + ["SUCCEEDED"] * 2
    assert {trial.infeasible_reason for trial in trials} == {"", "out of memory"}


def test_a_study_fails_with_its_trials(service, client, job_spec):
    jobs = client(JobServiceClient)
    job = jobs.create_hyperparameter_tuning_job(  # its trials report nothing
        parent=PARENT,
        hyperparameter_tuning_job=study(6, max_failed_trial_count=2, trial_job_spec=job_spec),
    )
    assert states(jobs.get_hyperparameter_tuning_job, job.name)[-1] == "FAILED"
    message = jobs.get_hyperparameter_tuning_job(name=job.name).error.message
    assert "without reporting the metric val_accuracy" in message


def test_a_cancelled_study_starts_no_more_trials(service, client, job_spec):
    service.run = lambda job: job.cancelled.wait(30)
    jobs = client(JobServiceClient)
    job = jobs.create_hyperparameter_tuning_job(
        parent=PARENT, hyperparameter_tuning_job=study(9, trial_job_spec=job_spec)
    )
    jobs.cancel_hyperparameter_tuning_job(name=job.name)
    assert states(jobs.get_hyperparameter_tuning_job, job.name)[-1] == "CANCELLED"
    assert len(jobs.get_hyperparameter_tuning_job(name=job.name).trials) == 2


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("displayName", "", "display_name"),
        ("labels", {"Stage": "x"}, "Label 'Stage'"),
        ("jobSpec.workerPoolSpecs", [], "worker_pool_specs"),
        ("jobSpec.workerPoolSpecs.0.replicaCount", "2", "must be 1: it is the chief"),
        ("jobSpec.workerPoolSpecs.0.machineSpec.machineType", "", "machine_type"),
        ("jobSpec.workerPoolSpecs.0.machineSpec.acceleratorCount", 1, "set together"),
        (
            "jobSpec.workerPoolSpecs.0.machineSpec",
            {"machineType": "e2-standard-4", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 1},
            "not supported on e2-standard-4",
        ),
        ("jobSpec.workerPoolSpecs.0.machineSpec.acceleratorType", "NVIDIA_GTX", "acceleratorType"),
        ("jobSpec.workerPoolSpecs.0.machineSpec.acceleratorType", 999, "999"),
        ("jobSpec.workerPoolSpecs.0.containerSpec.imageUri", "not an image", "image_uri"),
        (
            "jobSpec.workerPoolSpecs.0.containerSpec.env",
            [{"name": "WANDB_API_KEY", "value": "abc"}],
            "looks like a secret",
        ),
        ("jobSpec.scheduling", {"timeout": "604801s"}, "604800s"),
        ("jobSpec.baseOutputDirectory.outputUriPrefix", "/gcs/bucket", "gs://"),
        ("jobSpec.tensorboard", "projects/1/locations/r/tensorboards/2", "service_account is required"),
        ("jobSpec.workerPool", [], "workerPool"),
        ("spec", {}, "spec"),
    ],
)
def test_what_the_service_refuses_is_refused(service, job_spec, path, value, says):
    import requests
    from google.cloud.aiplatform_v1.types import CustomJob
    from google.protobuf.json_format import MessageToDict

    body: Any = MessageToDict(CustomJob.pb(CustomJob(custom(job_spec))))
    *steps, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    inner = body
    for step in steps:
        inner = inner[step]
    inner[last] = value
    answer = requests.post(f"{service.url}/v1/{PARENT}/customJobs", json=body, timeout=10)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert says in error["message"]
    assert requests.get(f"{service.url}/v1/{PARENT}/customJobs", timeout=10).json() == {}


@given(st.dictionaries(st.text("aZ0_-é ", max_size=3), st.text("aZ0_-é ", max_size=3), max_size=3))
def test_labels_are_what_cloud_resources_take(labels):
    fit = all(key[:1] == "a" and not set(key + value) - set("a0_-") for key, value in labels.items())
    try:
        check_labels(labels)
    except RefusedError:
        assert not fit
    else:
        assert fit
