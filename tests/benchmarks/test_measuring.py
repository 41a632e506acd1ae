import sys

import pytest

from benchmarks.measuring import MeasuringError, measure

MB = 1 << 20


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


BURN = "import resource\nwhile resource.getrusage(resource.RUSAGE_SELF).ru_utime < 0.5: pass"


def test_memory_of_all_processes_together_is_seen():
    hold = "import time; block = bytearray(b'x') * (50 << 20); time.sleep(0.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}], check=True)"
    empty = measure(python("import time; time.sleep(0.5)"), memory=True)
    one = measure(python(hold), memory=True)
    below = measure(python(f"{parent}"), memory=True)
    assert 49 * MB < one.pss - empty.pss < 60 * MB
    assert 49 * MB < below.pss - empty.pss < 80 * MB
    assert below.rss >= below.pss > 0
    assert one.samples > 5


def test_what_pages_are_shared_counts_once():
    fork = (
        "import os, time; block = bytearray(b'x') * (50 << 20); child = os.fork(); time.sleep(0.5); "
        "child and os.wait()"
    )
    shared = measure(python(fork), memory=True)
    assert shared.pss < 90 * MB < 100 * MB < shared.rss


def test_cpu_of_grandchildren_counts_even_of_orphans():
    orphan = (
        "import os, subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', {BURN!r}])\n"  # not waited for
        "os._exit(0)"
    )
    assert measure(python(orphan)).cpu >= 0.5
    assert (
        measure(python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {orphan!r}])")).cpu
        >= 0.5
    )
    assert measure(python("import time; time.sleep(0.6)")).cpu < 0.5


def test_what_is_not_sampled_says_so_and_environment_is_passed():
    measured = measure(python("import os; assert os.environ['ANSWER'] == '42'"), environment={"ANSWER": "42"})
    assert (measured.pss, measured.rss, measured.samples) == (0, 0, 0)
    assert measured.wall > 0


def test_a_failing_command_says_what_it_said():
    with pytest.raises(MeasuringError, match=r"(?s)ended with 3:.*no such thing"):
        measure(python("import sys; print('no such thing'); sys.exit(3)"))
