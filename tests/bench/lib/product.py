"""What every measured product has in common: a folder, a process, a port, a way to be asked."""

import contextlib
import http.client
import os
import socket
import ssl
import time

from . import measure, scenario
from .system import Failure, Process, free_port

SURE = 50

class Product:
    """One instance of a product in front of one upstream, for `tenants` tenants numbered from 0."""

    name = ""
    log_name = None  # the access log in the folder, when that is a plain file

    def __init__(self, world, upstream_port, tenants=1):
        self.world = world
        self.upstream_port = upstream_port
        self.tenants = tenants
        self.port = free_port()
        self.folder = os.path.join(world.folder, f"{self.name}.{tenants}.{self.port}")
        os.mkdir(self.folder, 0o755)
        self.process = None
        self._trust = ssl.create_default_context(cafile=world.certificate)
        if world.mutual:
            self._trust.load_cert_chain(world.client_certificate.shown)

    # ---- to be filled in by each product ----

    def configure(self):
        """Writes the whole configuration."""
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def write_extra(self, number, extra):
        """Rewrites what must change for tenant `number` to have the rule for /extra/** or not."""
        raise NotImplementedError

    def signal_reload(self):
        raise NotImplementedError

    def ready(self):
        """Whether the product says it serves; by default, whether the first tenant gets its answer."""
        return self.ask(0, "GET", scenario.PATH) == 200

    # ---- the same for all ----

    def start(self, limit=180):
        """Starts the product and waits until it serves; at most `limit` seconds."""
        self.configure()
        self.process = Process(self.command(), os.path.join(self.folder, "output.log"), self.environment())
        deadline = time.monotonic() + limit
        while not self.ready():
            self.process.check()
            if time.monotonic() > deadline:
                raise Failure(f"{self.name} is not ready after {limit} s: {self.process.tail()}")
            time.sleep(0.02)
        return self

    def environment(self):
        return {}

    def stop(self):
        if self.process:
            self.process.stop(lambda: measure.members(self.process.pid))
            self.process = None

    def cpu(self):
        self.process.check()
        return measure.Cpu(self.process.pid)

    def memory_kib(self):
        return measure.memory_kib(self.process.pid)

    def log_bytes(self):
        """The size of the access log, or None when that cannot be told from a file's size."""
        return os.path.getsize(os.path.join(self.folder, self.log_name)) if self.log_name else None

    def ask(self, number, method, path, password=True, source="127.0.0.1", timeout=30):
        """One request of tenant `number` on a connection of its own; the status, or None when the door is shut."""
        name = scenario.host(number)
        head = f"{method} {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\nContent-Length: 0\r\n"
        if password:
            head += f"Authorization: {self.world.authorization}\r\n"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout, (source, 0)) as plain:
                with self._trust.wrap_socket(plain, server_hostname=name) as secure:
                    secure.sendall((head + "\r\n").encode())
                    answer = http.client.HTTPResponse(secure, method=method)
                    answer.begin()
                    with contextlib.suppress(http.client.HTTPException):
                        answer.read()
                    return answer.status
        except (OSError, http.client.HTTPException):
            return None

    def check_work(self, number=0):
        """Proves that the product does all of the work, because one that skips a check is fast for nothing."""
        cases = [
            ("a right request", {200}, ("GET", scenario.PATH), {}),
            ("the large body", {200}, ("HEAD", scenario.LARGE_PATH), {}),
            ("a permitted change", {200}, ("POST", "/items/42/notes/1"), {}),
            ("no credential", {401}, ("GET", scenario.PATH), {"password": False}),
            ("an address outside the list", {403, None}, ("GET", scenario.PATH), {"source": scenario.OUTSIDE}),
            ("a method that is not allowed", {403}, ("POST", scenario.PATH), {}),
            ("a denied method", {403}, ("DELETE", "/items/42/notes/1"), {}),
            ("a denied path", {403}, ("GET", "/items/private/1"), {}),
            ("a path nobody allowed", {403}, ("GET", scenario.EXTRA_PATH), {}),
        ]
        for what, wanted, request, options in cases:
            got = self.ask(number, *request, **options)
            if got not in wanted:
                raise Failure(f"{self.name}: {what} ({' '.join(request)}) got {got}, not {wanted}: {self.process.tail()}")

    def reload_ms(self, number, extra, limit=180):
        """Changes one rule of one tenant; the milliseconds from the reload signal until every new request obeys it.

        Processes of the old and the new configuration may accept side by side for a while, so the change counts as live
        from the first of SURE requests in a row that are judged by it.
        """
        old, new = (403, 200) if extra else (200, 403)
        self.write_extra(number, extra)
        if self.ask(number, "GET", scenario.EXTRA_PATH) != old:
            raise Failure(f"{self.name}: {scenario.EXTRA_PATH} is not at {old} before the change")
        begin = time.monotonic()
        self.signal_reload()
        live_after, in_a_row = 0.0, 0
        while in_a_row < SURE:
            status = self.ask(number, "GET", scenario.EXTRA_PATH)
            passed = time.monotonic() - begin
            if status not in (old, new):
                raise Failure(f"{self.name}: a request during the reload got {status}: {self.process.tail()}")
            if passed > limit:
                raise Failure(f"{self.name}: the change is not live after {limit} s: {self.process.tail()}")
            if status == new and in_a_row == 0:
                live_after = passed
            in_a_row = in_a_row + 1 if status == new else 0
            time.sleep(0.001)
        return live_after * 1000
