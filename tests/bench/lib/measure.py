"""Processor time and memory of a product: of all its processes together."""

import glob
import os
import statistics

from .system import Failure, stat_fields

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def members(root):
    """{pid: start time} of every process that descends from `root` or lives in its session."""
    parents, found = {}, {}
    for name in os.listdir("/proc"):
        fields = stat_fields(name) if name.isdigit() else None
        if fields:
            parents[int(name)] = (int(fields[1]), int(fields[3]), int(fields[19]))
    for pid, (_, session, start) in parents.items():
        ancestor = pid
        while ancestor in parents and ancestor != root:
            ancestor = parents[ancestor][0]
        if ancestor == root or session == root:
            found[pid] = start
    return found


class Cpu:
    """A reading of the processor time of all processes under `root`, user and system, in nanoseconds.

    The time of the living comes from /proc/PID/task/*/schedstat (nanoseconds; /proc/PID/stat counts in steps of 10 ms).
    A process that ended between two readings is found in its parent's "waited-for children" counters.
    """

    def __init__(self, root):
        self.root = root
        self.times = {}
        for pid, start in members(root).items():
            fields = stat_fields(pid)
            if fields:
                reaped = (int(fields[13]) + int(fields[14])) * TICK_NS
                self.times[pid, start] = (_running_ns(pid, fields), reaped)

    def since(self, before):
        """Microseconds of processor time between the reading `before` and this one."""
        if self.root not in {pid for pid, _ in self.times}:
            raise Failure(f"process {self.root} ended during a measurement")
        total = 0
        for key, (own, reaped) in self.times.items():
            old_own, old_reaped = before.times.get(key, (0, 0))
            total += own - old_own + reaped - old_reaped
        for key, (own, reaped) in before.times.items():
            if key not in self.times:  # its whole life is now in its parent's `reaped`; only the end of it is new
                total -= own + reaped
        return total / 1000


def _running_ns(pid, fields):
    total = 0
    try:
        for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            with open(path, encoding="ascii") as schedstat:
                total += int(schedstat.read().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return total or (int(fields[11]) + int(fields[12])) * TICK_NS


def memory_kib(root):
    """Proportional set size of all processes under `root`: shared pages are counted once, libraries by share."""
    total = 0
    for pid in members(root):
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
                for line in rollup:
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        except PermissionError as error:
            raise Failure("reading memory needs root: " + str(error)) from error
    return total


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) * percent // 100] if ordered else 0


def median(values):
    return statistics.median(values) if values else None
