"""The measuring of servers: that it asks, checks, holds and weighs them."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import serving_cases, serving_rounds, serving_starts
from benchmarks.commands import CONTENDERS, ENVIRONMENT, PYTHON
from benchmarks.measuring import MeasuringError
from benchmarks.rounds import WrongOutputError
from benchmarks.serving_contenders import BARE, OURS, ours
from benchmarks.serving_load import Load
from benchmarks.serving_process import Contender, Question, Server, running
from benchmarks.serving_rounds import FEW, MANY, Trial

QUESTION = Question.of(b"a photo", {})


def nothing(port):
    return [PYTHON, str(CONTENDERS / "serving_nothing.py"), str(port)]


def trial(*milliseconds):
    return Trial(Load(list(milliseconds), len(milliseconds), sum(milliseconds) / 1000, 0), 0.1)


def test_ours_is_measured_beside_the_bare_network(tiny_bundle):
    work = serving_cases.asked(tiny_bundle)
    results = serving_rounds.measure({OURS: ours(tiny_bundle)}, serving_cases.bare(work), work, 1, 0.3)
    for count in (FEW, MANY):
        assert all(one.load.answers and one.cpu for trials in results[count].values() for one in trials)
    assert OURS in serving_rounds.throughput_table(results[MANY], OURS)
    assert BARE[1] in serving_rounds.latency_table(results[FEW], BARE[1])


def test_a_start_is_timed_and_weighed(tiny_bundle):
    work = serving_cases.asked(tiny_bundle)
    found = serving_starts.start(ours(tiny_bundle), work, 0.2)
    assert 0 < found.seconds < 60
    assert 0 < found.pss <= found.rss <= found.peak_rss
    assert OURS in serving_starts.starts_table({OURS: [found]})


def test_a_server_that_is_held_still_does_nothing():
    with running(Contender(nothing, ENVIRONMENT), QUESTION) as server:
        server.hold()
        stats = [Path(f"/proc/{pid}/stat").read_text() for pid in server.pids]
        assert {stat.rpartition(")")[2].split()[0] for stat in stats} == {"T"}
        server.resume()
        pid = server.pids[0]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_ends_is_told_with_what_it_said():
    with pytest.raises(MeasuringError, match="no such model"):
        Server(Contender(lambda _: [PYTHON, "-c", "raise SystemExit('no such model')"]), QUESTION)


def test_a_wrong_answer_is_none():
    question = replace(QUESTION, expected={"cat": 0.9, "dog": 0.1})
    top = [{"class": "cat", "probability": 0.85}, {"class": "dog", "probability": 0.15}]
    question.check(json.dumps({"predictions": [{"top": top}]}).encode())
    question.check(b'{"cat": 0.95, "dog": 0.05}')
    with pytest.raises(WrongOutputError):
        question.check(b'{"cat": 0.5, "dog": 0.5}')
    with pytest.raises(WrongOutputError):
        question.check(b'{"cat": 0.9}')


def test_failures_end_the_measuring(tiny_bundle):
    work = serving_cases.asked(tiny_bundle)
    elsewhere = replace(work, question=replace(work.question, path="/nowhere"))
    with (
        running(ours(tiny_bundle), work.question) as server,
        pytest.raises(WrongOutputError, match="answers failed"),
    ):
        serving_rounds.load_on(server.port, elsewhere, FEW, 0.1)


def test_ratios_are_taken_within_each_round():
    mine, theirs = [trial(10, 10), trial(40, 40)], [trial(20, 20), trial(20, 20)]
    assert serving_rounds.ratios(mine, theirs) == pytest.approx([2, 0.5])
    assert serving_rounds.added(mine, theirs) == [-10, 20]
    assert serving_cases.best({"a": mine, "b": theirs}, "a", "b") == [mine[0], theirs[1]]
    assert serving_rounds.quantile([3, 1, 2, 4], 0.5) == 3
    assert serving_rounds.quantile([1], 0.99) == 1
