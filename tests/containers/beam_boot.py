#!/usr/bin/env python
"""What Beam's own /opt/apache/beam/boot does for a worker, where its image can't be pulled.

Its contract: https://s.apache.org/beam-fn-api-container-contract
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from google.protobuf.json_format import MessageToJson


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--worker_pool", action="store_true")
    for name in ("id", "logging_endpoint", "artifact_endpoint", "provision_endpoint", "control_endpoint"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--semi_persist_dir", default="/tmp")
    given = parser.parse_args()
    if given.worker_pool:
        pool = "apache_beam.runners.worker.worker_pool_main"
        become(pool, "--service_port=50000", f"--container_executable={os.path.realpath(__file__)}")
    if not given.id or not given.provision_endpoint:
        sys.exit("No id or no provision endpoint provided.")
    info = provision_info(given.provision_endpoint, given.id)
    if "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT" not in os.environ:
        sys.exit("the real one makes a virtual environment here, which doesn't see that of the image")
    subprocess.run([sys.executable, "-m", "pip", "show", "--quiet", "apache-beam"], check=True)
    Path(given.semi_persist_dir, "staged").mkdir(parents=True, exist_ok=True)
    os.environ.update(
        WORKER_ID=given.id,
        PIPELINE_OPTIONS=MessageToJson(info.pipeline_options),
        SEMI_PERSISTENT_DIRECTORY=given.semi_persist_dir,
        LOGGING_API_SERVICE_DESCRIPTOR=descriptor(info.logging_endpoint.url or given.logging_endpoint),
        CONTROL_API_SERVICE_DESCRIPTOR=descriptor(info.control_endpoint.url or given.control_endpoint),
        RUNNER_CAPABILITIES=" ".join(info.runner_capabilities),
    )
    become("apache_beam.runners.worker.sdk_worker_main")


def provision_info(endpoint: str, worker: str) -> beam_provision_api_pb2.ProvisionInfo:
    with grpc.insecure_channel(endpoint) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        return service.GetProvisionInfo(request, metadata=[("worker_id", worker)], timeout=60).info


def descriptor(url: str) -> str:
    return f'url: "{url}"'


def become(module: str, *arguments: str) -> None:
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


if __name__ == "__main__":
    main()
