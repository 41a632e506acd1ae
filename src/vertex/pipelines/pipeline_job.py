"""A run of the compiled pipeline on Vertex AI: the very message that the client sends."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from vertex.folders import scratch
from vertex.jobs.job import APP, label

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import PipelineJob


def pipeline_job(
    text: str,
    values: Mapping[str, str],
    now: datetime,
    *,
    service_account: str | None = None,
    network: str | None = None,
) -> "PipelineJob":
    """Build the run of a compiled pipeline with these values of its parameters."""
    import yaml
    from google.cloud.aiplatform_v1 import types
    from google.protobuf import json_format, struct_pb2

    specification = json_format.ParseDict(yaml.safe_load(text), struct_pb2.Struct())
    parameters = {name: struct_pb2.Value(string_value=value) for name, value in values.items()}
    return types.PipelineJob(
        # Also the last part of the run's name, which has no _.
        display_name=f"chrysalis-pipeline-{label(values['dataset']).replace('_', '-')}-{now:%Y%m%d-%H%M%S}",
        labels=APP | {"dataset": label(values["dataset"]), "run-id": label(values["run_id"])},
        pipeline_spec=specification,
        runtime_config=types.PipelineJob.RuntimeConfig(
            gcs_output_directory=scratch(values["root"], "pipelines"),
            parameter_values=parameters,
        ),
        service_account=service_account or None,
        network=network or None,
    )
