"""A run of the compiled pipeline on Vertex AI: the very message that the client sends."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from vertex.folders import scratch
from vertex.jobs.environment import refuse_secrets
from vertex.jobs.job import APP, checked_network, label
from vertex.jobs.job_options import Account
from vertex.wire import request_json

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import PipelineJob


def pipeline_job(
    text: str,
    values: Mapping[str, str],
    now: datetime,
    account: Account,
) -> "PipelineJob":
    """Build the run of a compiled pipeline with these values of its parameters.

    Raises:
        InputError: the network isn't one, or a secret stands in the request.
    """
    import yaml
    from google.cloud.aiplatform_v1 import types
    from google.protobuf import json_format, struct_pb2

    specification = json_format.ParseDict(yaml.safe_load(text), struct_pb2.Struct())
    parameters = {name: struct_pb2.Value(string_value=value) for name, value in values.items()}
    job = types.PipelineJob(
        # Also the last part of the run's name, which has no _.
        display_name=f"chrysalis-pipeline-{label(values['dataset']).replace('_', '-')}-{now:%Y%m%d-%H%M%S}",
        labels=APP | {"dataset": label(values["dataset"]), "run-id": label(values["run_id"])},
        pipeline_spec=specification,
        runtime_config=types.PipelineJob.RuntimeConfig(
            gcs_output_directory=scratch(values["root"], "pipelines"),
            parameter_values=parameters,
        ),
        service_account=account.service_account or None,
        network=checked_network(account),
    )
    refuse_secrets(request_json(job))
    return job
