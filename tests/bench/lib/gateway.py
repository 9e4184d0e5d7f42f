"""Sekisho, configured for the benchmark's scenario."""

import http.client
import os
import secrets
import signal

from . import credentials, scenario
from .product import Product
from .system import Failure, free_port, run, say, write

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
PROGRAM = os.path.join("gateway", "supervisor", "sekishod")
BUILDS = ("build-release", "build")  # the first that has the program; figures worth keeping come from a release build


def find(given):
    """The supervisor's path: from --gateway, $SEKISHOD or a build folder; Failure with what to do otherwise."""
    given = given or os.environ.get("SEKISHOD")
    candidates = [given] if given else [os.path.join(ROOT, build, PROGRAM) for build in BUILDS]
    for path in candidates:
        if os.access(path, os.X_OK):
            if path == os.path.join(ROOT, "build", PROGRAM):
                say("bench: measuring build/, which may be a debug build; build-release/ does not exist")
            return os.path.abspath(path)
    raise Failure(f"{' and '.join(candidates)} missing: run ./tests/run --build first, give the path with --gateway or "
                  "SEKISHOD, or measure the others alone with --peers-only")


class Sekisho(Product):
    """The gateway with its durable records; uid_base instead of accounts, so that the machine is left alone."""

    name = "sekisho"
    credentials = credentials.KINDS
    program = ""  # set once by the caller, from find()
    _hash = None

    def __init__(self, world, upstream_port, tenants=1):
        super().__init__(world, upstream_port, tenants)
        self.observe = free_port()

    def configure(self):
        folder = self.folder
        if not Sekisho._hash:
            tool = os.path.join(os.path.dirname(os.path.dirname(self.program)), "tools", "sekisho")
            Sekisho._hash = run(tool, "hash-password", text=self.world.password + "\n").strip()
        os.mkdir(os.path.join(folder, "tenants"))
        os.mkdir(os.path.join(folder, "data"), 0o755)
        with open(os.path.join(folder, "root.key"), "wb") as key:
            os.chmod(key.fileno(), 0o600)
            key.write(secrets.token_bytes(32))
        write(os.path.join(folder, "sekisho.yaml"), f"""listen: ["127.0.0.1:{self.port}"]
observe: 127.0.0.1:{self.observe}
workers: 0
tenants: tenants
data: {folder}/data
root_key_file: {folder}/root.key
balancers: []
uid_base: 64200
factor_helpers: 2
pam_helpers: 2
timeouts:
  handshake: 30s
  header: 30s
  idle: 1h
  request: 60s
  drain: 5s
journal:
  file_size: 256M
  flush_deadline: 2s
services:
  - name: bench
    sessions: {{inactivity: 15m, expiration: 12h}}
    limits: {{connections: 10000, requests_per_second: 1000000, body: 64M}}
""")
        for number in range(self.tenants):
            self.write_extra(number, False)

    def write_extra(self, number, extra):
        name = scenario.tenant_name(number)
        office = ", ".join(scenario.NETWORKS)
        rule = ', "api GET,HEAD /extra/**"' if extra else ""
        issuer = self.world.issuers.get(self.world.credential)
        issuers = f"""issuers:
  - {{name: {credentials.ISSUER_NAME}, issuer: "{credentials.ISSUER}", audience: {credentials.AUDIENCE}, jwks_file: {issuer.jwks},
     roles_claim: [groups], map: [{{value: editors, role: editor}}]}}
""" if issuer else ""
        mutual = f"client_certificates: {{ca_file: {self.world.client_certificate.authorities}, required: true}}\n" if self.world.mutual else ""
        write(os.path.join(self.folder, "tenants", name + ".yaml"), f"""tenant: {name}
service: bench
open: true
hosts: [{scenario.host(number)}]
certificates:
  - {{cert_file: {self.world.certificate}, key_file: {self.world.key}}}
networks:
  - {{name: office, cidrs: [{office}]}}
  - {{name: here, cidrs: [{scenario.HERE}]}}
from: [office, here]
{mutual}apps:
  - name: api
    kind: api
    path: /
    upstreams: ["http://127.0.0.1:{self.upstream_port}"]
roles:
  - name: editor
    allow: ["api GET,HEAD /items/**", "api GET,HEAD /files/**", "api POST,PUT,PATCH,DELETE /items/*/notes/**"{rule}]
    deny: ["api DELETE /items/*/notes/*", "api GET,HEAD /items/private/**"]
users:
  - name: {scenario.USER}
    roles: [editor]
    password_hash: {self._hash}
  - name: {credentials.PROGRAM}
    backend: key
    roles: [editor]
    keys:
      - {{sha256: {self.world.program_key.sha256}, expires: "2099-01-01"}}
{issuers}""")

    def command(self):
        return [self.program, "--config", os.path.join(self.folder, "sekisho.yaml")]

    def ready(self):
        # Not urllib: that would ask the proxy of the environment.
        connection = http.client.HTTPConnection("127.0.0.1", self.observe, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def signal_reload(self):
        self.process.child.send_signal(signal.SIGHUP)
