"""The machine: packages, ports, the work folder, processes that are certain to end."""

import ctypes
import contextlib
import glob
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

# What the benchmark calls -> the Debian package that has it.
NEEDED = {
    "/usr/sbin/nginx": "nginx",
    "/usr/sbin/haproxy": "haproxy",
    "/usr/bin/h2load": "nghttp2-client",
    "/usr/bin/openssl": "openssl",
    "/usr/bin/gcc": "gcc",
    "/usr/include/stdlib.h": "libc6-dev",
    "/usr/include/openssl/ssl.h": "libssl-dev",
}
SERVICES = ("nginx", "haproxy")
POLICY = "/usr/sbin/policy-rc.d"
POLICY_KEPT = POLICY + ".kept-by-sekisho-bench"


class Failure(Exception):
    """A reason to stop that the user is told without a traceback."""


def say(text):
    """Progress; standard output is for results."""
    print(text, file=sys.stderr, flush=True)


def run(*command, text=None, timeout=120):
    """Runs a command to its end and returns its output."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip() or done.returncode}")
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ---- packages ----

def install_missing():
    """Installs what is missing; no service that comes along is started or left enabled."""
    missing = sorted({package for path, package in NEEDED.items() if not os.path.exists(path)})
    if not missing:
        return
    if os.geteuid() != 0:
        raise Failure("run as root once, or install: " + " ".join(missing))
    say("bench: installing " + " ".join(missing))
    with _no_service_starts():
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        run("apt-get", "update", "-q", timeout=600)
        run("apt-get", "install", "-y", "-q", "--no-install-recommends", *missing, timeout=1200)
    # The maintainer scripts enable their service whatever policy-rc.d says. Only those that came with this call are
    # turned off again: one that was there before is its owner's business.
    for service in SERVICES:
        if service in missing:
            run("update-rc.d", service, "disable")
            # What `systemctl disable` does, also where systemd is not installed (yet).
            for link in glob.glob(f"/etc/systemd/system/*.wants/{service}.service"):
                os.unlink(link)


@contextlib.contextmanager
def _no_service_starts():
    """Debian's way to say "start nothing": a policy-rc.d that answers 101. The machine's own comes back afterwards."""
    if os.path.lexists(POLICY) and not os.path.lexists(POLICY_KEPT):
        os.rename(POLICY, POLICY_KEPT)  # an older one kept by a run that was killed is the true one
    try:
        with open(POLICY, "w", encoding="ascii") as out:
            out.write("#!/bin/sh\nexit 101\n")
        os.chmod(POLICY, 0o755)
        yield
    finally:
        os.unlink(POLICY)
        if os.path.lexists(POLICY_KEPT):
            os.rename(POLICY_KEPT, POLICY)


# ---- the work folder ----

def filesystem(path):
    """The type of the file system that holds `path`."""
    best = ("", "unknown")
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            _, point, kind = line.split()[:3]
            if (path + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
                best = (point, kind)
    return best[1]


@contextlib.contextmanager
def work_folder(keep):
    """A temporary folder on a real disk: the gateway's records must reach stable storage, or the figures mean little."""
    folder = tempfile.mkdtemp(prefix="sekisho-bench.", dir=os.environ.get("TMPDIR", "/var/tmp"))
    os.chmod(folder, 0o711)  # the products' unprivileged processes must reach their files
    if filesystem(folder) in ("tmpfs", "ramfs"):
        say(f"bench: WARNING: {folder} is in memory, so durable records cost nothing here; set TMPDIR")
    try:
        yield folder
    finally:
        if keep:
            say(f"bench: left in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path, mode)
    return path


# ---- processes ----

def raise_file_limit():
    """As many descriptors as allowed; the products inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = 65536
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def die_with_parent():
    """In a child before exec: if this program is killed, the kernel ends what it started (PR_SET_PDEATHSIG = 1)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)


class Process:
    """A long-running program in a session of its own, its output in a file."""

    def __init__(self, command, output, environment=None):
        self.output = output
        with open(output, "ab") as out:
            # die_with_parent is safe: this program has one thread.
            self.child = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                preexec_fn=die_with_parent, env={**os.environ, **(environment or {})})
        self.pid = self.child.pid

    def check(self):
        """Fails when the program has ended."""
        if self.child.poll() is not None:
            raise Failure(f"{self.child.args[0]} ended with {self.child.returncode}: {self.tail()}")

    def tail(self):
        with open(self.output, "rb") as lines:
            return lines.read()[-4000:].decode("utf-8", "replace").strip()

    def stop(self, members):
        """Ends the program and, if they outlive it, the processes `members()` found under it; by pid, never by name."""
        rest = members()
        if self.child.poll() is None:
            self.child.terminate()
        try:
            self.child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait(timeout=20)
        deadline = time.monotonic() + 5
        while any(_alive(pid, start) for pid, start in rest.items()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid, start in rest.items():
            if _alive(pid, start):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _alive(pid, start):
    """Whether `pid` is still the process that started at `start`, and not a zombie or another with its number."""
    fields = stat_fields(pid)
    return fields is not None and fields[0] != "Z" and int(fields[19]) == start


def stat_fields(pid):
    """The fields of /proc/PID/stat after the name, so [0] is the state; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
