"""How long requests wait for servers that others keep busy: the queue M/G/c.

Requests arrive at random, and each is served by one of c servers, in the order of arrival. The
probability of a wait is Erlang's formula C; how long it is follows Allen and Cunneen, who stretch
the wait of M/M/c by how much the service varies.
"""

import math
from dataclasses import dataclass

# Reciprocal of a probability below which nothing happens.
NEVER = 1e18


@dataclass(frozen=True)
class Queue:
    """Servers, and the requests that they answer.

    Attributes:
        servers: How many requests are served at once.
        service: Seconds of a server that a request takes, on average.
        rate: Requests per second.
        variability: Mean of the squared service, by twice the square of its mean: 1 for the
            exponential distribution, ½ for a constant.
    """

    servers: int
    service: float
    rate: float
    variability: float = 1.0

    @property
    def load(self) -> float:
        """How many servers are busy on average, if there are enough."""
        return self.rate * self.service

    @property
    def utilization(self) -> float:
        """The share of its time that a server is busy; from 1 on, the queue grows forever."""
        return self.load / self.servers

    @property
    def waits(self) -> float:
        """The probability that a request has to wait (Erlang C)."""
        if self.utilization >= 1:
            return 1.0
        if not self.load:
            return 0.0
        # The reciprocal of Erlang B, from its largest term on: factorials overflow, and of many
        # servers, few terms are enough to know that nothing waits.
        term = reciprocal = 1.0
        for servers in range(self.servers, 0, -1):
            term *= servers / self.load
            reciprocal += term
            if reciprocal > NEVER:
                return 0.0
        blocked = 1 / reciprocal
        return blocked / (1 - self.utilization * (1 - blocked))

    @property
    def wait(self) -> float:
        """Mean seconds of those that have to wait."""
        if self.utilization >= 1:
            return math.inf
        return self.variability * self.service / (self.servers - self.load)

    @property
    def mean(self) -> float:
        """Mean seconds until the answer."""
        return self.service + self.waits * self.wait

    def waiting(self, share: float) -> float:
        """Return the seconds that a share of the requests waits at most."""
        if self.utilization >= 1:
            return math.inf
        if self.waits <= 1 - share:
            return 0.0
        return self.wait * math.log(self.waits / (1 - share))
