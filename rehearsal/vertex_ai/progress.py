"""The states of something that takes a while, each of which is seen by at least one look."""

import threading
from collections import deque


class Progress:
    """A queue of states: `add` puts one behind the others, `look` moves on by one and gives it."""

    def __init__(self, first: str, *then: str):
        self.shown = first
        self.reached = [first, *then]
        self._coming = deque(then)
        self._lock = threading.Lock()

    def add(self, state: str) -> None:
        """Reach a state; the one reached already is no news."""
        with self._lock:
            if self.reached[-1] != state:
                self.reached.append(state)
                self._coming.append(state)

    def end(self, *states: str) -> None:
        """Reach these instead of those that are still to be seen."""
        with self._lock:
            self.reached = [*self.reached[: len(self.reached) - len(self._coming)], *states]
            self._coming = deque(states)

    @property
    def last(self) -> str:
        """The state that was reached last, seen or not."""
        return self.reached[-1]

    @property
    def settled(self) -> bool:
        """Whether every state has been seen."""
        return not self._coming

    def look(self) -> str:
        """Show the next state, or again the last one."""
        with self._lock:
            if self._coming:
                self.shown = self._coming.popleft()
            return self.shown
