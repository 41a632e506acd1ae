"""`python -m vertex`: one sub-command for each thing that Vertex AI can do for a stage or a model."""

from functools import partial

import typer

from contracts.console import run_app
from vertex.doctor.command import EXAMPLES as DOCTOR_EXAMPLES
from vertex.doctor.command import doctor_cli
from vertex.environment_file import load_environment_file
from vertex.jobs.dataflow import EXAMPLES as DATAFLOW_EXAMPLES
from vertex.jobs.dataflow import dataflow_cli
from vertex.jobs.follow import EXAMPLES as FOLLOW_EXAMPLES
from vertex.jobs.follow import follow_cli
from vertex.jobs.jobs import CANCEL_EXAMPLES, LIST_EXAMPLES, cancel_cli, list_cli
from vertex.jobs.submit import EXAMPLES, submit_cli
from vertex.models.deploy import EXAMPLES as DEPLOY_EXAMPLES
from vertex.models.deploy import deploy_cli
from vertex.models.predict import EXAMPLES as PREDICT_EXAMPLES
from vertex.models.predict import predict_cli
from vertex.models.promotion import PROMOTE_EXAMPLES, ROLLBACK_EXAMPLES, promote_cli, rollback_cli
from vertex.models.register import EXAMPLES as REGISTER_EXAMPLES
from vertex.models.register import register_cli
from vertex.models.undeploy import EXAMPLES as UNDEPLOY_EXAMPLES
from vertex.models.undeploy import undeploy_cli
from vertex.option_groups import SectionedCommand
from vertex.pipelines.pipeline import EXAMPLES as PIPELINE_EXAMPLES
from vertex.pipelines.pipeline import pipeline_cli
from vertex.push import EXAMPLES as PUSH_EXAMPLES
from vertex.push import push_cli
from vertex.tuning.tune import EXAMPLES as TUNE_EXAMPLES
from vertex.tuning.tune import tune_cli

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 120},  # typer's own are 80
)
command = partial(app.command, cls=SectionedCommand)
command("submit", epilog=EXAMPLES)(submit_cli)
command("tune", epilog=TUNE_EXAMPLES)(tune_cli)
command("doctor", epilog=DOCTOR_EXAMPLES)(doctor_cli)
command("dataflow", epilog=DATAFLOW_EXAMPLES)(dataflow_cli)
command("follow", epilog=FOLLOW_EXAMPLES)(follow_cli)
command("cancel", epilog=CANCEL_EXAMPLES)(cancel_cli)
command("list", epilog=LIST_EXAMPLES)(list_cli)
command("pipeline", epilog=PIPELINE_EXAMPLES)(pipeline_cli)
command("register", epilog=REGISTER_EXAMPLES)(register_cli)
command("deploy", epilog=DEPLOY_EXAMPLES)(deploy_cli)
command("promote", epilog=PROMOTE_EXAMPLES)(promote_cli)
command("rollback", epilog=ROLLBACK_EXAMPLES)(rollback_cli)
command("undeploy", epilog=UNDEPLOY_EXAMPLES)(undeploy_cli)
command("predict", epilog=PREDICT_EXAMPLES)(predict_cli)
command("push", epilog=PUSH_EXAMPLES)(push_cli)


@app.callback()
def vertex() -> None:
    """Run Chrysalis on Google Cloud's Vertex AI. Settings come from options, the environment and .env."""
    load_environment_file()  # before the sub-command's options are read


if __name__ == "__main__":
    run_app(app, "python -m vertex")
