"""Both runtimes give what the network gives, to many threads at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from serving import litert_runtime, tensorflow_runtime
from serving.runtimes import Execution, RuntimeName, load_runtime


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), np.uint8)


@pytest.mark.parametrize("name", [RuntimeName.LITERT, RuntimeName.TENSORFLOW])
def test_many_threads_get_what_one_gets(tiny_bundle, pixels, name):
    one = load_runtime(name, tiny_bundle, Execution())
    many = load_runtime(name, tiny_bundle, Execution(workers=3, max_batch=6, max_delay_ms=2))
    expected = np.stack([one(image) for image in pixels])
    with ThreadPoolExecutor(many.concurrency) as pool:
        given = np.stack(list(pool.map(many, pixels)))
    assert np.abs(given - expected).max() < 1e-5
    assert np.abs(given.sum(axis=1) - 1).max() < 1e-4
    for runtime in (one, many):
        runtime.close()


@pytest.mark.parametrize(
    ("workers", "threads", "cores", "interpreters"),
    [
        (0, 0, 1, [1]),
        (0, 0, 2, [2]),
        (0, 0, 5, [5, 2]),
        (2, 0, 2, [2, 1]),
        (1, 0, 4, [4]),
        (0, 2, 4, [2, 2]),
        (0, 8, 4, [8]),
        (3, 2, 1, [2, 2, 2]),
    ],
)
def test_the_cores_are_shared_out(workers, threads, cores, interpreters):
    assert Execution(workers, threads).interpreters(cores) == interpreters


@pytest.mark.parametrize(("largest", "sizes"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_batches_have_few_sizes(largest, sizes):
    assert tensorflow_runtime.batch_sizes(largest) == sizes


def test_the_pages_of_the_file_are_given_back(tiny_bundle, pixels):
    path = (tiny_bundle / "model.tflite").resolve()
    interpreters = [litert_runtime.Interpreter(path, 1) for _ in range(2)]

    def resident():
        """Kilobytes."""
        _, *mappings = Path("/proc/self/smaps").read_text().split(str(path))
        return sum(int(mapping.partition("Rss:")[2].split()[0]) for mapping in mappings)

    assert resident() == 0
    one, other = (interpreter(pixels[0]) for interpreter in interpreters)
    assert np.array_equal(one, other)


def test_who_is_alone_gets_the_first_interpreter_and_who_is_not_another():
    pool = litert_runtime.Pool(["wide", "narrow", "thin"])
    with pool.borrow() as alone:
        with pool.borrow() as second, pool.borrow() as third:
            assert [alone, second, third] == ["wide", "thin", "narrow"]
        with pool.borrow() as again:
            assert again == "thin"
    with pool.borrow() as alone:
        assert alone == "wide"
