"""Jobs in containers: what they are told, and what becomes of their output, exit codes and spot machines."""

import json
import subprocess
import threading

import docker
import pytest
from google.cloud.aiplatform_v1 import types

from contracts import storage
from rehearsal.containers import Containers, Preemption
from rehearsal.network import EMULATOR, LABEL, ROOT, network, sweep
from rehearsal.vertex_ai import Job, JobFailedError

pytestmark = pytest.mark.containers

OUTPUT = "gs://bucket/models/digits/cnn"
PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
FIND_EACH_OTHER = """
import json, os, socket, time
config = json.loads(os.environ["TF_CONFIG"])
hosts = [host.split(":")[0] for role in ("chief", "worker") for host in config["cluster"][role]]
deadline = time.monotonic() + 60
def retried(attempt):
    while True:
        try:
            return attempt()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
with socket.create_server(("", 2222), backlog=9) as door:
    addresses = [retried(lambda: socket.gethostbyname(host)) for host in hosts]
    print(json.dumps([config["task"], addresses]), flush=True)
    # None leaves before all have found it: each knocks at every door, and is knocked at by all.
    knocks = [retried(lambda: socket.create_connection((host, 2222), 60)) for host in hosts]
    for _ in hosts:
        door.accept()
"""
REPORT = """
import json, os, sys
print(sys.argv[1:], os.environ["AIP_MODEL_DIR"])
line = {"timestamp": 1.0, "trial": "2", "val_accuracy": "0.5", "global_step": "7"}
with open(os.environ["CLOUD_ML_HP_METRIC_FILE"], "w") as metrics:
    metrics.write(json.dumps(line) + chr(10))
"""
WAIT = """
import signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT):  # the emulator's image is stopped with the other
    signal.signal(number, lambda *_: (print("state saved", flush=True), sys.exit(143)))
print("training", flush=True)
time.sleep({seconds})
print("done")
"""


@pytest.fixture(scope="module")
def cloud():
    build = ["docker", "build", "--quiet", "--tag", EMULATOR, "--file", "deploy/emulator/Dockerfile", "."]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with network("bucket") as cloud:
        yield cloud


def job(code: str, workers: int = 1, *, image: str = EMULATOR, spot: bool = False, **options) -> Job:
    """A job whose replicas run some Python; the emulator's image has one."""
    container = types.ContainerSpec(
        image_uri=image,
        command=["python", "-c"],
        args=[code],
        env=[types.EnvVar(name="COLOUR", value="green")],
    )
    counts = (1, workers - 1) if workers > 1 else (1,)
    spec = types.CustomJobSpec(
        worker_pool_specs=[
            types.WorkerPoolSpec(replica_count=count, container_spec=container) for count in counts
        ],
        scheduling=types.Scheduling(strategy="SPOT" if spot else "STANDARD"),
        base_output_directory=types.GcsDestination(output_uri_prefix=OUTPUT),
    )
    name = "projects/123/locations/europe-west4/customJobs/456"
    return Job(name=name, number="456", display_name="a job", spec=spec, labels={}, **options)


def said(containers: Containers) -> dict[str, list[str]]:
    """The lines of each replica."""
    lines: dict[str, list[str]] = {}
    for _, replica, line in containers.said:
        lines.setdefault(replica, []).append(line)
    return lines


def test_a_single_machine_is_told_where_things_go(cloud):
    containers = Containers(cloud, {"MORE": "of the rehearsal"})
    containers.run_job(job(PRINT_ENVIRONMENT))
    told = json.loads(said(containers)["workerpool0-0"][0])
    assert told["AIP_MODEL_DIR"] == f"{OUTPUT}/model/"
    assert told["AIP_CHECKPOINT_DIR"] == f"{OUTPUT}/checkpoints/"
    assert told["AIP_TENSORBOARD_LOG_DIR"] == f"{OUTPUT}/logs/"
    assert (told["CLOUD_ML_JOB_ID"], told["COLOUR"], told["MORE"]) == ("456", "green", "of the rehearsal")
    assert json.loads(told["CLUSTER_SPEC"])["cluster"].keys() == {"workerpool0"}
    assert not {"TF_CONFIG", "CLOUD_ML_TRIAL_ID"} & told.keys()


def test_several_machines_find_each_other(cloud):
    containers = Containers(cloud)
    containers.run_job(job(FIND_EACH_OTHER, workers=3))
    answers = {replica: json.loads(lines[0]) for replica, lines in said(containers).items()}
    assert {who: (task["type"], task["index"]) for who, (task, _) in answers.items()} == {
        "workerpool0-0": ("chief", 0),
        "workerpool1-0": ("worker", 0),
        "workerpool1-1": ("worker", 1),
    }
    assert len({address for _, addresses in answers.values() for address in addresses}) == 3


def test_a_trial_has_its_folder_its_parameters_and_its_metrics(cloud):
    containers = Containers(cloud)
    trial = job(REPORT, trial="2", parameters={"batch_size": 64.0, "flip": "true"})
    containers.run_job(trial)
    assert said(containers)["workerpool0-0"] == [f"['--batch_size=64', '--flip=true'] {OUTPUT}/2/model/"]
    assert trial.measured == {7: {"val_accuracy": 0.5}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "workerpool0-0 exited with a non-zero status of 3"),
        ({"image": "registry.example/none:1"}, "Failed to pull image registry.example/none:1: not found"),
    ],
)
def test_what_goes_wrong_is_told_as_vertex_ai_tells_it(cloud, options, message):
    with pytest.raises(JobFailedError, match=message):
        Containers(cloud).run_job(job("raise SystemExit(3)", **options))


def test_a_spot_machine_that_is_taken_away_comes_back_with_what_it_had(cloud):
    taken = Preemption(when="training".__eq__, replicas=["workerpool1-0"])
    containers = Containers(cloud, preemptions=[taken])
    containers.run_job(job(WAIT.format(seconds=15), workers=2, spot=True))
    lines = said(containers)
    assert lines["workerpool1-0"][:3] == ["training", "state saved", "training"]
    assert lines["workerpool0-0"][-1] == "done"
    assert taken.done


def test_a_standard_machine_is_never_taken_away(cloud):
    taken = Preemption(when="training".__eq__, replicas=["workerpool0-0"])
    Containers(cloud, preemptions=[taken]).run_job(job(WAIT.format(seconds=1)))
    assert not taken.done


def test_a_cancelled_job_may_save_its_state(cloud):
    containers = Containers(cloud)
    work = job(WAIT.format(seconds=60))
    threading.Timer(4, work.cancelled.set).start()
    containers.run_job(work)
    assert said(containers)["workerpool0-0"] == ["training", "state saved"]


def test_the_bucket_is_mounted_to_be_read(cloud, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.storage_here)
    storage.write_bytes("gs://bucket/folder/file", b"of the bucket")
    containers = Containers(cloud)
    containers.run_job(job("print(open('/gcs/bucket/folder/file').read())"))
    assert said(containers)["workerpool0-0"] == ["of the bucket"]


def test_a_container_has_no_rights_of_its_own(cloud):
    containers = Containers(cloud)
    containers.run_job(job("print(open('/proc/self/status').read())"))
    status = dict(line.split(":\t", 1) for line in said(containers)["workerpool0-0"] if ":\t" in line)
    assert (int(status["CapEff"], 16), status["NoNewPrivs"]) == (0, "1")


def test_what_a_killed_rehearsal_left_is_swept_away(cloud):
    engine = docker.from_env()
    gone = subprocess.Popen(["true"])
    gone.wait()
    name = "chrysalis-rehearsal-gone"
    labels = {LABEL: str(gone.pid), f"{LABEL}.name": name}
    engine.volumes.create(name, labels=labels)
    engine.networks.create(name, labels=labels)
    sweep(engine)
    assert not engine.volumes.list(filters={"label": f"{LABEL}.name={name}"})
    assert not engine.networks.list(names=[name])
    assert engine.networks.list(names=[cloud.name]), "what is in use stays"
    engine.close()
