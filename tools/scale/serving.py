"""Replicas of the server under Poisson traffic, simulated request by request.

A replica answers one request after another, each in a time drawn from the measured distribution, scaled to
the measured throughput. The balancer looks at two replicas and takes the one that is free sooner.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tools.scale.assumptions import AUTOSCALE_EVERY, CPU_TARGET, WORKER_START
from tools.scale.measured import Measured

if TYPE_CHECKING:
    from numpy import float64
    from numpy.random import Generator
    from numpy.typing import NDArray

QUEUE: Final = 64
"""Images that wait in a replica; one more is answered 503 (serving.settings)."""
WARM_UP_S: Final = 10.0


@dataclass(frozen=True)
class Latency:
    """What so many replicas answer in; milliseconds."""

    replicas: int
    busy: float
    mean: float
    p50: float
    p99: float
    refused: float


@dataclass(frozen=True)
class Moment:
    """A second of traffic that changes: replicas that answer, requests of which so many were refused."""

    second: int
    replicas: int
    requests: int
    refused: int
    p99: float


def serve(rate: float, replicas: int, figures: Measured, seconds: float = 90, seed: int = 0) -> Latency:
    """Send `rate` requests a second to so many replicas."""
    import numpy as np

    chance = np.random.default_rng(seed)
    count = int(rate * seconds)
    arrivals = np.cumsum(chance.exponential(1 / rate, count))
    service = _service_times(chance, count, figures)
    free = [0.0] * replicas
    waits, refused = [], 0
    for now, takes, pair in zip(
        arrivals.tolist(), service.tolist(), _pairs(chance, count, replicas), strict=True
    ):
        end = _take(free, pair, now, takes, QUEUE / figures.answer_rate)
        if now < WARM_UP_S:
            continue
        if end is None:
            refused += 1
        else:
            waits.append(end - now)
    p50, p99 = np.quantile(waits, (0.5, 0.99)) * 1000
    asked = len(waits) + refused
    return Latency(
        replicas=replicas,
        busy=rate / replicas / figures.answer_rate,
        mean=float(np.mean(waits)) * 1000,
        p50=float(p50),
        p99=float(p99),
        refused=refused / asked,
    )


def replicas_for(rate: float, figures: Measured, p99_ms: float = 150) -> Latency:
    """The fewest replicas that refuse nothing and keep the 99th percentile."""
    replicas = math.ceil(rate / figures.answer_rate)
    while True:
        seen = serve(rate, replicas, figures)
        if not seen.refused and seen.p99 <= p99_ms:
            return seen
        replicas += max(1, replicas // 50)


def jump(before: float, after: float, figures: Measured, seconds: int = 900, seed: int = 0) -> list[Moment]:
    """Traffic that jumps from `before` to `after` requests a second after a minute, with autoscaling."""
    import numpy as np

    chance = np.random.default_rng(seed)
    free = [0.0] * math.ceil(before / figures.answer_rate / CPU_TARGET.value)
    ready: list[float] = []
    moments, work = [], 0.0
    for second in range(seconds):
        free += [float(second)] * sum(1 for at in ready if at <= second)
        ready = [at for at in ready if at > second]
        count = int(chance.poisson(before if second < 60 else after))
        arrivals = np.sort(chance.uniform(second, second + 1, count))
        service = _service_times(chance, count, figures)
        spent = []
        for now, takes, pair in zip(
            arrivals.tolist(), service.tolist(), _pairs(chance, count, len(free)), strict=True
        ):
            end = _take(free, pair, now, takes, QUEUE / figures.answer_rate)
            if end is not None:
                spent.append(end - now)
                work += takes
        p99 = float(np.quantile(spent, 0.99)) * 1000 if spent else math.nan
        moments.append(Moment(second, len(free), count, count - len(spent), p99))
        if (second + 1) % int(AUTOSCALE_EVERY.value) == 0:
            busy = min(1.0, work / AUTOSCALE_EVERY.value / len(free))
            wanted, work = math.ceil(len(free) * busy / CPU_TARGET.value), 0.0
            # Those that are on their way count: each look asks only for what is missing.
            ready += [second + WORKER_START.value * 60 + figures.start_s] * max(
                0, wanted - len(free) - len(ready)
            )
    return moments


def _take(
    free: list[float], pair: tuple[int, int], now: float, takes: float, patience: float
) -> float | None:
    """When the request is answered; None where both queues are full."""
    replica = min(pair, key=free.__getitem__)
    start = max(now, free[replica])
    if start - now > patience:
        return None
    free[replica] = start + takes
    return free[replica]


def _pairs(chance: "Generator", count: int, replicas: int) -> Iterator[tuple[int, int]]:
    drawn: Sequence[Sequence[int]] = chance.integers(0, replicas, (count, 2)).tolist()
    return ((first, second) for first, second in drawn)


def _service_times(chance: "Generator", count: int, figures: Measured) -> "NDArray[float64]":
    """Draw from the measured percentiles, with straight lines between them; seconds."""
    import numpy as np

    p50, p90, p99 = figures.answer_ms
    levels, times = (0, 0.5, 0.9, 0.99, 1), np.array((p50 - (p90 - p50), p50, p90, p99, p99 + (p99 - p90)))
    widths = np.diff(levels)
    mean = float((widths * (times[1:] + times[:-1]) / 2).sum())
    drawn: NDArray[float64] = np.interp(chance.random(count), levels, times)
    return drawn / mean / figures.answer_rate
