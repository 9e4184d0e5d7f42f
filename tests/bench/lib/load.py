"""The load generators: the client in client/ for HTTP/1.1 and handshakes, Debian's h2load for HTTP/2."""

import contextlib
import json
import os
import re
import signal
import subprocess

from . import measure, scenario
from .system import Failure, die_with_parent, run

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "client")
CLIENT_LIMIT = 120  # seconds after which the client ends by itself, besides its warm-up and measured time


def build_client(folder):
    """Compiles the client into the work folder, so that no build is left behind and none is stale."""
    path = os.path.join(folder, "client")
    run("gcc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Wconversion", "-o", path,
        os.path.join(SOURCES, "main.c"), os.path.join(SOURCES, "conn.c"), "-lssl", "-lcrypto", "-lpthread")
    return path


class Client:
    """One run of the client. `with` ends it; in between, begin() and end() return when the measured time does."""

    def __init__(self, world, product, mode, numbers, path=scenario.PATH, connections=64, warmup=1.0, seconds=5.0):
        self.errors = os.path.join(world.folder, "client.log")
        limit = int(CLIENT_LIMIT + warmup + seconds)
        with open(self.errors, "wb") as errors:
            self.child = subprocess.Popen(
                [world.client, mode, "--address", f"127.0.0.1:{product.port}", "--hosts", world.hosts_file(numbers),
                 "--path", path, "--authorization", world.authorization, "--connections", str(connections),
                 "--threads", str(world.threads), "--warmup", str(warmup), "--seconds", str(seconds),
                 "--limit", str(limit), *(["--certificate", world.client_certificate.shown] if world.mutual else [])],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, preexec_fn=die_with_parent)
        self.product = product

    def __enter__(self):
        return self

    def begin(self):
        """Returns when the measured time begins."""
        if self._line() != "start":
            raise Failure("the client said something unexpected")

    def end(self):
        """Returns the results when the measured time ends; the connections are still open."""
        return json.loads(self._line())

    def _line(self):
        line = self.child.stdout.readline()
        if not line:
            self.child.wait()
            with open(self.errors, encoding="utf-8", errors="replace") as errors:
                why = errors.read().strip()
            if self.child.returncode == -signal.SIGALRM:
                why = "the client's time is over"
            raise Failure(f"{self.product.name}: {why or self.child.returncode}")
        return line.strip()

    def __exit__(self, kind, *_):
        if kind:
            self.child.kill()
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()
        status = self.child.wait(timeout=30)
        self.child.stdout.close()
        if not kind and status != 0:
            with open(self.errors, encoding="utf-8", errors="replace") as errors:
                raise Failure(f"{self.product.name}: {errors.read().strip()}")


def client_run(world, product, mode, numbers, **options):
    """One measured run of the client: its results, with the product's processor time and log growth added."""
    with Client(world, product, mode, numbers, **options) as client:
        client.begin()
        before, log_before = product.cpu(), product.log_bytes()
        result = client.end()
        result["cpu_us"] = product.cpu().since(before)
        log_after = product.log_bytes()
    if result["requests"] == 0:
        raise Failure(f"{product.name}: no request was completed in the measured time")
    if log_before is not None and log_after - log_before < 40 * result["requests"]:
        raise Failure(f"{product.name}: the access log grew too little for {result['requests']} requests")
    if result["reconnects"] > result["requests"] / 1000:
        raise Failure(f"{product.name}: {result['reconnects']} connections were closed between requests")
    if mode == "resumed" and result["resumed"] < 0.99 * result["requests"]:
        raise Failure(f"{product.name}: only {result['resumed']} of {result['requests']} handshakes were resumed")
    if mode == "full" and result["resumed"]:
        raise Failure(f"{product.name}: {result['resumed']} handshakes were not full")
    return result


def h2load_run(world, product, requests, connections=8, streams=32):
    """`requests` requests over HTTP/2. The few handshakes are in the product's processor time; they do not matter."""
    log = os.path.join(world.folder, "h2load.log")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(log)  # h2load appends
    before = product.cpu()
    output = run("h2load", "-n", str(requests), "-c", str(connections), "-m", str(streams), "-t",
                 str(min(world.threads, connections)), "--connect-to", f"127.0.0.1:{product.port}",
                 "-H", "authorization: " + world.authorization, "--log-file", log,
                 f"https://{scenario.host(0)}{scenario.PATH}", timeout=CLIENT_LIMIT)
    cpu_us = product.cpu().since(before)
    if "Application protocol: h2" not in output:
        raise Failure(f"{product.name} does not speak HTTP/2")
    good = re.search(r"status codes: (\d+) 2xx", output)
    time_taken = re.search(r"finished in ([0-9.]+)(us|ms|s),", output)
    if not good or int(good[1]) != requests or not time_taken:
        raise Failure(f"{product.name}: not all of {requests} requests over HTTP/2 succeeded: {output.strip()[-600:]}"
                      f"\nwhat it said last: {product.process.tail()}")
    seconds = float(time_taken[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1}[time_taken[2]]
    with open(log, encoding="ascii") as lines:
        latencies = [int(line.split()[2]) for line in lines]
    return {"requests": requests, "seconds": seconds, "cpu_us": cpu_us,
            "p50_us": measure.percentile(latencies, 50), "p99_us": measure.percentile(latencies, 99)}
