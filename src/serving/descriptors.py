"""The files and connections that the process may hold open, against those that it promises to take."""

import resource
from typing import Final

from contracts.console import log
from serving.settings import Settings

SPARE: Final = 200
"""For files, threads, and connections that were taken and aren't counted yet."""


def fit_connections(settings: Settings) -> Settings:
    """Let the process have as many descriptors as it may; where they don't suffice, take fewer connections.

    Twice as many connections are held as are served: those that are refused take a moment to close.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * settings.max_connections + SPARE
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if resource.RLIM_INFINITY != soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed >= wanted:
        return settings
    most = max(1, (allowed - SPARE) // 2)
    log("fewer connections", max_connections=most, asked=settings.max_connections, descriptors=allowed)
    return settings.model_copy(update={"max_connections": most})
