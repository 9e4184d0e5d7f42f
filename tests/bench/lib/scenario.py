"""The work that all products are given, once, so that their configurations cannot drift apart.

A tenant has one host, one user with a password, one list of addresses, and these rules (deny wins, nothing else is
allowed):

    allow GET,HEAD                 /items/**      /files/**
    allow POST,PUT,PATCH,DELETE    /items/*/notes/**
    deny  DELETE                   /items/*/notes/*
    deny  GET,HEAD                 /items/private/**
    allow GET,HEAD                 /extra/**      only while `extra` is set: the change that `tenants` makes live
"""

import base64
import hashlib
import os
import secrets

from . import credentials
from .system import run, write

DOMAIN = "bench.test"
PATH = "/items/42"
LARGE_PATH = "/files/large"
EXTRA_PATH = "/extra/1"
LARGE_BYTES = 10 * 1024 * 1024
USER = "hana"
# The address list: where a customer's offices are, and, last, the load generator. No other loopback address is in it.
NETWORKS = [f"198.51.100.{n}/28" for n in range(0, 256, 32)] + [f"203.0.113.{n}/28" for n in range(0, 224, 32)]
HERE = "127.0.0.1/32"
OUTSIDE = "127.0.0.2"


def tenant_name(number):
    return f"t{number:05d}"


def host(number):
    return f"{tenant_name(number)}.{DOMAIN}"


class Scenario:
    """What one run needs: certificate, password, body of the small answer; made new, kept in the work folder."""

    def __init__(self, folder):
        self.folder = folder
        self.password = secrets.token_urlsafe(18)
        self.program_key = credentials.Key()
        self.issuers = {name: credentials.Issuer(folder, name) for name in ("es256", "rs256")}
        self.client_certificate = credentials.Certificate(folder)
        self.mutual = False  # whether clients show it, and products ask for it
        self.credential = "password"  # one of credentials.KINDS: which one requests carry, and peers are configured for
        self.body = "0123456789abcdef" * 64
        self.key = os.path.join(folder, "bench.key")
        self.certificate = os.path.join(folder, "bench.crt")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN=*.{DOMAIN}", "-addext", f"subjectAltName=DNS:*.{DOMAIN}",
            "-keyout", self.key, "-out", self.certificate)
        os.chmod(self.key, 0o600)
        self.pem = write(os.path.join(folder, "bench.pem"), _read(self.certificate) + _read(self.key), 0o600)

    @property
    def authorization(self):
        if self.credential == "password":
            return "Basic " + base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        return "Bearer " + (self.program_key.text if self.credential == "key" else self.issuers[self.credential].token)

    def hosts_file(self, numbers):
        """A file with the hosts of these tenants, for the load generator."""
        path = os.path.join(self.folder, f"hosts.{len(numbers)}.{numbers[-1]}")
        return write(path, "".join(host(number) + "\n" for number in numbers))

    def htpasswd_hash(self, kind):
        """The password as nginx's auth_basic_user_file has it: `apr1` is htpasswd's default, `cheap` a salted SHA-1."""
        if kind == "apr1":
            return run("openssl", "passwd", "-apr1", "-stdin", text=self.password).strip()
        salt = secrets.token_bytes(8)
        return "{SSHA}" + base64.b64encode(hashlib.sha1(self.password.encode() + salt).digest() + salt).decode()

    def userlist_password(self, kind):
        """The password as HAProxy's userlist has it: MD5-crypt (apr1's twin in crypt(3)), or `cheap`, in the clear."""
        if kind == "apr1":
            return "password " + run("openssl", "passwd", "-1", "-stdin", text=self.password).strip()
        return "insecure-password " + self.password


def _read(path):
    with open(path, encoding="ascii") as text:
        return text.read()
