"""The workloads. Each runs its products in turn, round after round, and gives one row for each product.

A row: workload, product, per (what is counted), cpu_us (processor microseconds of the product per counted thing), rate
(counted things a second), p50_ms, p99_ms; `cpu_us_low` and `cpu_us_high` over the rounds; more in `idle` and `tenants`.
"""

import contextlib

from . import scenario
from .load import Client, client_run, h2load_run
from .measure import median
from .system import Failure, say

MANY = 10_000
IDLE = 2000
MIB = 1024 * 1024


class Plan:
    """How much: rounds, seconds of each measured phase, and how many of MANY tenants are asked, spread over all."""

    def __init__(self, quick, rounds, seconds, hosts):
        self.hosts = hosts
        self.rounds = rounds or (1 if quick else 5)
        self.seconds = seconds or (2.0 if quick else 5.0)
        self.warmup = min(1.0, self.seconds / 2)


@contextlib.contextmanager
def running(kinds, world, upstream, tenants=1):
    """One started and checked instance of each product; ended in any case."""
    with contextlib.ExitStack() as stack:
        products = []
        for kind in kinds:
            product = kind(world, upstream.port, tenants)
            stack.callback(product.stop)
            product.start()
            product.check_work(tenants - 1)
            products.append(product)
        yield products


def _row(workload, product, per, samples):
    """Medians over rounds; a sample is (cpu_us per thing, things per second, p50 µs, p99 µs)."""
    cpu = [sample[0] for sample in samples]
    return {
        "workload": workload, "product": product.name, "per": per,
        "cpu_us": round(median(cpu), 2),
        "rate": round(median([sample[1] for sample in samples]), 1),
        "p50_ms": round(median([sample[2] for sample in samples]) / 1000, 3),
        "p99_ms": round(median([sample[3] for sample in samples]) / 1000, 3),
        "cpu_us_low": round(min(cpu), 2), "cpu_us_high": round(max(cpu), 2),
    }


def _sample(result):
    return (result["cpu_us"] / result["requests"], result["requests"] / result["seconds"],
            result["p50_us"], result["p99_us"])


def _rounds(workload, products, plan, once, per="request"):
    """A, B, C, A, B, C, …: what disturbs the machine for a while disturbs all."""
    samples = [[] for _ in products]
    for number in range(plan.rounds):
        for at, product in enumerate(products):
            samples[at].append(once(product))
            say(f"bench: {workload}, round {number + 1} of {plan.rounds}, {product.name}: "
                f"{samples[at][-1][0]:.1f} us per {per}, {samples[at][-1][1]:.0f}/s")
    return [_row(workload, product, per, samples[at]) for at, product in enumerate(products)]


def _with_client(mode, connections):
    def workload(name, kinds, world, upstream, plan):
        def once(product):
            return _sample(client_run(world, product, mode, [0], connections=connections, warmup=plan.warmup,
                                      seconds=plan.seconds))
        with running(kinds, world, upstream) as products:
            return _rounds(name, products, plan, once)
    return workload


def _mutual(name, kinds, world, upstream, plan):
    """A full handshake in which the client proves a certificate, and one request."""
    world.mutual = True
    try:
        return _with_client("full", 16)(name, kinds, world, upstream, plan)
    finally:
        world.mutual = False


def _with_credential(credential):
    """h1 with another credential, beside the peers that know it."""
    def workload(name, kinds, world, upstream, plan):
        world.credential = credential
        try:
            return _with_client("keepalive", 64)(name, [kind for kind in kinds if credential in kind.credentials], world, upstream, plan)
        finally:
            world.credential = "password"
    return workload


def _h2(name, kinds, world, upstream, plan):
    rates = {}

    def once(product):
        if product not in rates:
            for requests in (1000, 10_000):  # warm-up, and how many requests fill the time
                warm = h2load_run(world, product, requests)
                rates[product] = warm["requests"] / warm["seconds"]
        return _sample(h2load_run(world, product, max(1000, int(rates[product] * plan.seconds))))
    with running(kinds, world, upstream) as products:
        return _rounds(name, products, plan, once)


def _large(name, kinds, world, upstream, plan):
    def once(product):
        result = client_run(world, product, "keepalive", [0], path=scenario.LARGE_PATH, connections=8,
                            warmup=plan.warmup, seconds=plan.seconds)
        # By bytes, not by bodies: those cut by the end of the measured time were work too.
        moved = result["bytes"] / MIB
        return result["cpu_us"] / moved, moved / result["seconds"], result["p50_us"], result["p99_us"]
    with running(kinds, world, upstream) as products:
        return _rounds(name, products, plan, once, "MiB")


def _idle(name, kinds, world, upstream, plan):
    """Fresh instances in each round: an allocator that kept the memory of the last round would hide the cost."""
    found = {kind.name: [] for kind in kinds}
    for number in range(plan.rounds):
        with running(kinds, world, upstream) as products:
            for product in products:
                # What is made once, at the first connections, is not the price of a connection.
                client_run(world, product, "keepalive", [0], connections=16, warmup=0, seconds=0.5)
                before = product.memory_kib()
                with Client(world, product, "idle", [0], connections=IDLE, warmup=1.0) as client:
                    client.begin()
                    client.end()
                    grown = product.memory_kib() - before
                found[product.name].append(grown / IDLE)
                say(f"bench: idle, round {number + 1} of {plan.rounds}, {product.name}: {grown / IDLE:.1f} KiB")
    return [{"workload": name, "product": kind.name, "per": "connection", "cpu_us": None, "rate": None,
             "p50_ms": None, "p99_ms": None, "kib": round(median(found[kind.name]), 2)} for kind in kinds]


def _tenants(_, kinds, world, upstream, plan):
    sample = [(2 * at + 1) * MANY // (2 * plan.hosts) for at in range(plan.hosts)]

    def once(product):
        return _sample(client_run(world, product, "keepalive", [0] if product.tenants == 1 else sample,
                                  connections=plan.hosts, warmup=plan.warmup, seconds=plan.seconds))

    with running(kinds, world, upstream) as few, running(kinds, world, upstream, MANY) as many:
        pairs = [product for pair in zip(few, many) for product in pair]  # 1 and 10,000 next to each other in time
        samples = {product: [] for product in pairs}
        for number in range(plan.rounds):
            for product in pairs:
                samples[product].append(once(product))
                say(f"bench: tenants, round {number + 1} of {plan.rounds}, {product.name} with {product.tenants}: "
                    f"{samples[product][-1][0]:.1f} us per request")
        rows = []
        for product in few + many:
            row = _row(f"tenants-{product.tenants}", product, "request", samples[product])
            row["memory_mib"] = round(product.memory_kib() / 1024, 1)
            rows.append(row)
        for one, product, row in zip(few, many, rows[len(few):]):
            # Round by round: the two were measured one right after the other.
            growth = [b[0] / a[0] for a, b in zip(samples[one], samples[product])]
            row["growth"] = round(median(growth), 3)
            times = [product.reload_ms(sample[-1], change % 2 == 0) for change in range(2 * plan.rounds)]
            row["reload_ms"] = round(median(times), 1)
            say(f"bench: tenants, {product.name}: one tenant's change is live after {row['reload_ms']} ms")
    return rows


WORKLOADS = {
    "h1": _with_client("keepalive", 64),
    "h1-key": _with_credential("key"),
    "h1-es256": _with_credential("es256"),
    "h1-rs256": _with_credential("rs256"),
    "h2": _h2,
    "handshake": _with_client("full", 16),
    "mutual": _mutual,
    "resumed": _with_client("resumed", 16),
    "large": _large,
    "idle": _idle,
    "tenants": _tenants,
}


def measure_workload(name, kinds, world, upstream, plan):
    """The rows of one workload, the gateway's with its ratio against the best peer (below 1 is better)."""
    rows = WORKLOADS[name](name, kinds, world, upstream, plan)
    for row in rows:
        key = "kib" if row["cpu_us"] is None else "cpu_us"
        peers = [peer[key] for peer in rows if peer["workload"] == row["workload"] and peer["product"] != "sekisho"]
        if row["product"] == "sekisho" and peers:
            if min(peers) <= 0:
                raise Failure(f"{name}: a peer's figure is {min(peers)}, which cannot be")
            row["ratio"] = round(row[key] / min(peers), 3)
    return rows
