"""The model behind docs/scale.md, and that the document is what it gives."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.errors import InputError
from tools.scale import measured as reports
from tools.scale import serving, sharding, training
from tools.scale.__main__ import app, read_bytes
from tools.scale.assumptions import HOSTS
from tools.scale.document import table

FIGURES = reports.Measured(
    photo_kb=100,
    record_kb=20,
    shard_rate=200,
    shard_spread=0,
    request_s=0,
    process_rate=100,
    input_rate=1000,
    answer_rate=20,
    answer_ms=(50, 60, 90),
    start_s=1,
)


def test_the_document_is_what_the_tool_gives(tmp_path):
    done = CliRunner().invoke(app, ["--output", str(tmp_path)])
    assert done.exit_code == 0, done.exception
    assert (tmp_path / "scale.md").read_text() == Path("docs/scale.md").read_text(), "make scale"
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in Path("docs").glob("scale*")}


def test_a_report_that_changed_its_form_is_told():
    with pytest.raises(InputError, match="has no 'images/h' of 'build_records' under 'Sharding photos'"):
        reports._number("data", "Sharding photos", "after start-up", "build_records", "images/h")


def test_sharding_takes_the_work_over_the_cores():
    # 40 GB: 400,000 photos at 200 a second and core, 10 workers with 4 cores: 50 s, below the bucket's rate.
    run = sharding.simulate(40e9, 10, replace(FIGURES, shard_rate=100))
    assert run.images == 400_000
    assert run.waited < 0.05
    assert 100 <= run.seconds - 180 <= 260  # and workers come within a minute, and the last shards are few


def test_a_bucket_holds_many_workers_back():
    few, many = (sharding.simulate(1e12, workers, FIGURES) for workers in (5, 200))
    assert few.waited < 0.01 < 0.9 < many.waited
    # 10 million photos at 5,000 a second that double every 20 minutes.
    assert many.seconds > 1000


def test_a_step_is_arithmetic_and_a_ring():
    host = HOSTS[-1]
    one, two = (training.train(1_000_000, host, hosts, 125_000_000, FIGURES) for hosts in (1, 2))
    assert (one.reduce_ms, one.efficiency) == (0, 1)
    assert two.reduce_ms == pytest.approx(1000 * 4e9 / 100e9)  # 500 MB over 100 Gbit/s
    assert two.images_a_second < 2 * one.images_a_second


def test_one_replica_is_the_queue_of_the_textbook():
    # M/G/1 (Pollaczek and Khinchine), at half the load.
    import numpy as np

    chance = np.random.default_rng(0)
    drawn = serving._service_times(chance, 200_000, FIGURES)
    mean, square = drawn.mean(), (drawn**2).mean()
    assert mean == pytest.approx(1 / FIGURES.answer_rate, rel=0.01)
    wait = 10 * square / (2 * (1 - 10 * mean))
    seen = serving.serve(10, 1, FIGURES, seconds=5000)
    assert seen.busy == 0.5
    assert seen.mean == pytest.approx(1000 * (mean + wait), rel=0.05)


def test_more_traffic_than_replicas_is_refused_and_enough_replicas_refuse_none():
    assert serving.serve(100, 4, FIGURES).refused == pytest.approx(0.2, abs=0.05)
    needed = serving.replicas_for(100, FIGURES, p99_ms=200)
    assert needed.refused == 0 and 5 < needed.replicas <= 10


def test_autoscaling_follows_a_jump():
    moments = serving.jump(20, 100, FIGURES, seconds=900)
    assert moments[0].replicas == 2
    assert sum(moment.refused for moment in moments[:60]) == 0
    assert sum(moment.refused for moment in moments[60:300]) > 0
    assert moments[-1].refused == 0 and 100 / 20 <= moments[-1].replicas <= 11


def test_sizes_are_read():
    assert (read_bytes("10TB"), read_bytes("1.5 GB")) == (10e12, 1.5e9)
    with pytest.raises(InputError, match="expected --bytes as in 300GB or 10TB; got '7'"):
        read_bytes("7")


def test_the_command_answers_for_other_sizes():
    done = CliRunner().invoke(app, ["--bytes", "100GB", "--requests", "50"])
    assert done.exit_code == 0, done.exception
    assert '"shards": 119' in done.stderr and '"replicas"' in done.stderr


def test_a_row_has_a_cell_under_each_heading():
    with pytest.raises(ValueError, match="expected 2 cells"):
        table(("a", "b"), [(1, 2), (1, 2, 3)])
