"""Which arrangement of servers is enough, and what each of them is limited by.

An arrangement has limits, and the first whose limits are kept is enough. All amounts grow with the
number of users, so each is enough up to some number of them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlflow_compose.capacity.costs import ASSUMED, GB, TB
from mlflow_compose.capacity.demand import MOST, Demand
from mlflow_compose.capacity.sizing import Sizing


@dataclass(frozen=True)
class Planned:
    """A demand, and the servers for it."""

    demand: Demand
    sizing: Sizing


@dataclass(frozen=True)
class Amount:
    """Something that can be limited.

    Attributes:
        title: Name of it in a sentence.
        unit: What it is counted in: `B` or nothing.
        of: How much of it is needed.
    """

    title: str
    unit: str
    of: Callable[[Planned], float]


AMOUNTS: Mapping[str, Amount] = {
    "cores": Amount("the number of cores of one machine", "", lambda one: one.sizing.cores),
    "memory": Amount("the memory of one machine", "B", lambda one: one.sizing.memory),
    "connections": Amount(
        "the number of database connections", "", lambda one: one.sizing.connections
    ),
    "database_cores": Amount(
        "the number of cores of the database", "", lambda one: one.sizing.database_cores
    ),
    "database_memory": Amount(
        "the memory of the database", "B", lambda one: one.sizing.database_memory
    ),
    "database_growth": Amount(
        "the growth of the database in a year", "B", lambda one: one.demand.database_growth
    ),
    "bucket_growth": Amount(
        "the growth of the bucket in a year", "B", lambda one: one.demand.bucket_growth
    ),
}


@dataclass(frozen=True)
class Stage:
    """An arrangement of servers.

    Attributes:
        name: Key of it.
        title: What it consists of.
        limits: The most of each amount.
    """

    name: str
    title: str
    limits: Mapping[str, float]

    def shares(self, planned: Planned) -> Mapping[str, float]:
        """Return which share of each limit is needed."""
        return {name: AMOUNTS[name].of(planned) / most for name, most in self.limits.items()}

    def holds(self, planned: Planned) -> bool:
        """Return whether all limits are kept."""
        return all(share <= 1 for share in self.shares(planned).values())

    def scarcest(self, planned: Planned) -> str:
        """Return the amount of which the largest share is needed."""
        shares = self.shares(planned)
        return max(shares, key=lambda name: shares[name])


# A machine of a usual size, with a stack of this project.
MACHINE = Stage(
    "machine",
    "one machine",
    {
        "cores": 16,
        "memory": 64 * GB,
        "database_growth": 500 * GB,
        "bucket_growth": 4 * TB,
    },
)
# Each server on machines of its own; the database on one of the same size.
REPLICAS = Stage(
    "replicas",
    "several machines: tracking servers behind a proxy, external PostgreSQL and S3 servers",
    {
        "connections": ASSUMED.most_connections,
        "database_cores": 16,
        "database_memory": 64 * GB,
        "database_growth": 1 * TB,
    },
)
POOLER = Stage(
    "pooler",
    "several machines, and PgBouncer between the tracking servers and PostgreSQL",
    {name: most for name, most in REPLICAS.limits.items() if name != "connections"},
)
MANAGED = Stage(
    "managed",
    "several machines, PgBouncer, and a large managed database and object storage",
    {"database_cores": 96, "database_memory": 768 * GB, "database_growth": 10 * TB},
)
# The last one has no limits, because there can be any number of it.
STACKS = Stage("stacks", "several stacks, each with stores of its own, for groups of teams", {})
STAGES = (MACHINE, REPLICAS, POOLER, MANAGED, STACKS)


@dataclass(frozen=True)
class Bound:
    """What limits a usage.

    Attributes:
        stage: The first arrangement that is enough.
        stacks: How many stacks there have to be.
        exceeded: Amount of which the arrangement before it has too little; empty if there is none.
        until: With how many users the arrangement is still enough; None if with any number.
        limit: Amount of which it has too little from then on; empty if with any number.
    """

    stage: Stage
    stacks: int
    exceeded: str
    until: int | None
    limit: str


def bound(users: int, planned: Callable[[int], Planned]) -> Bound:
    """Return what limits a number of users.

    Args:
        users: Number of users.
        planned: Returns demand and servers for a number of users.
    """
    found = planned(users)
    stage = next(one for one in STAGES if one.holds(found))
    before = STAGES[STAGES.index(stage) - 1] if stage is not STAGES[0] else None
    exceeded = before.scarcest(found) if before else ""
    stacks = math.ceil(MANAGED.shares(found)[exceeded]) if stage is STACKS else 1
    until = most_users(stage, planned)
    if until == MOST.users:
        return Bound(stage, stacks, exceeded, None, "")
    return Bound(stage, stacks, exceeded, until, stage.scarcest(planned(until + 1)))


def most_users(stage: Stage, planned: Callable[[int], Planned]) -> int:
    """Return the largest number of users for which an arrangement is enough."""
    low, high = 0, MOST.users
    while low < high:
        middle = (low + high + 1) // 2
        if stage.holds(planned(middle)):
            low = middle
        else:
            high = middle - 1
    return low
