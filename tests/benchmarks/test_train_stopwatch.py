import sys

import pytest

from benchmarks.measuring import MeasuringError
from benchmarks.train_stopwatch import Contender, between, epochs, span, watch

SAY = """
import json, sys, time
def say(event, **fields):
    print(json.dumps({"event": event, **fields}), file=sys.stderr)
"""
BURN = "import resource\nwhile resource.getrusage(resource.RUSAGE_SELF).ru_utime < 0.5: pass"
CHILD = f"import subprocess; subprocess.run([sys.executable, '-c', {BURN!r}], check=True)\n"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", SAY + code]


def test_laps_lie_between_events_and_hold_the_cpu_of_processes_that_ended():
    code = f"say('begin')\n{CHILD}say('epoch', number=0)\n"
    code += "print('chatter', file=sys.stderr)\nsay('trained')\nsay('epoch')"
    events = watch(python(code), ("epoch", 2), {})
    assert [event.name for event in events] == ["begin", "epoch", "trained", "epoch"]
    assert events[1].fields == {"number": 0}
    first, rest = between(events, "begin", "epoch"), epochs(events)
    assert [len(first), len(rest), len(between(events, "epoch", "trained"))] == [1, 1, 1]
    assert first[0].wall > 0
    assert first[0].cpu >= 0.5 > rest[0].cpu
    assert span(events, "begin", "epoch")[0].cpu == pytest.approx(first[0].cpu + rest[0].cpu)


def test_a_contender_is_told_to_end_after_its_last_event_and_its_folder_goes(tmp_path):
    code = "import os; os.mkdir(sys.argv[1])\nsay('epoch')\nsay('epoch')\ntime.sleep(1000)"
    contender = Contender(lambda output: [*python(code), str(output)], ("epoch", 2), epochs)
    assert len(contender.run(tmp_path).laps) == 1
    assert not list(tmp_path.iterdir())


def test_a_contender_that_ends_early_says_what_it_said(tmp_path):
    contender = Contender(lambda _: python("say('epoch')\nsys.exit('no such thing')"), ("epoch", 2), epochs)
    with pytest.raises(
        MeasuringError, match=r"(?s)ended with 1 before it said 'epoch' 2 times:.*no such thing"
    ):
        contender.run(tmp_path)
