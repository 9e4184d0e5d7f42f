"""What a program shows: a password, a key, or a token that an issuer signed; made new for each run."""

import base64
import hashlib
import json
import os
import secrets
import subprocess
import time

from .system import run, write

KINDS = ("password", "key", "es256", "rs256")
ISSUER = "https://issuer.bench.test"
AUDIENCE = "bench"
ISSUER_NAME = "ci"
PROGRAM = "backup"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True).stdout


def _integers(der):
    """The two integers of a DER signature, each in 32 bytes: JOSE's form of ES256 (RFC 7518 section 3.4)."""
    at, out = 2, b""
    for _ in range(2):
        length = der[at + 1]
        out += der[at + 2:at + 2 + length].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + length
    return out


class Issuer:
    """A key pair, its key set, and a token of it that is good for a day."""

    def __init__(self, folder, algorithm):
        self.algorithm = algorithm.upper()
        self.private = os.path.join(folder, algorithm + ".key")
        self.public = os.path.join(folder, algorithm + ".pub")
        kind = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"] if self.algorithm == "ES256" else ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
        run("openssl", "genpkey", "-algorithm", *kind, "-out", self.private)
        run("openssl", "pkey", "-in", self.private, "-pubout", "-out", self.public)
        os.chmod(self.private, 0o600)
        self.jwks = write(os.path.join(folder, algorithm + ".jwks"), json.dumps({"keys": [self._jwk()]}))
        head = {"alg": self.algorithm, "typ": "JWT", "kid": "bench"}
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": PROGRAM, "exp": int(time.time()) + 86400, "groups": ["editors"]}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        signature = _openssl("dgst", "-sha256", "-sign", self.private, data=signed.encode())
        self.token = signed + "." + base64url(_integers(signature) if self.algorithm == "ES256" else signature)

    def _jwk(self):
        common = {"kid": "bench", "alg": self.algorithm, "use": "sig"}
        if self.algorithm == "ES256":
            point = _openssl("pkey", "-in", self.private, "-pubout", "-outform", "DER")[-64:]
            return {**common, "kty": "EC", "crv": "P-256", "x": base64url(point[:32]), "y": base64url(point[32:])}
        modulus = bytes.fromhex(_openssl("rsa", "-in", self.private, "-noout", "-modulus").decode().strip().split("=")[1])
        return {**common, "kty": "RSA", "n": base64url(modulus), "e": "AQAB"}


class Certificate:
    """A client's, of an authority below a root: what servers trust, and what the client shows, with its key behind it."""

    def __init__(self, folder):
        def path(name):
            return os.path.join(folder, "client-" + name)
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        authority = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        run("openssl", "req", "-x509", *new, "-subj", "/CN=root", *authority, "-keyout", path("root.key"), "-out", path("root.crt"))
        run("openssl", "req", "-x509", "-CA", path("root.crt"), "-CAkey", path("root.key"), *new, "-subj", "/CN=inner", *authority,
            "-keyout", path("inner.key"), "-out", path("inner.crt"))
        run("openssl", "req", "-x509", "-CA", path("inner.crt"), "-CAkey", path("inner.key"), *new, "-subj", "/CN=client",
            "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=clientAuth",
            "-keyout", path("leaf.key"), "-out", path("leaf.crt"))
        self.authorities = path("root.crt")
        self.shown = path("shown.pem")
        parts = []
        for name in ("leaf.crt", "inner.crt", "leaf.key"):
            with open(path(name), encoding="ascii") as part:
                parts.append(part.read())
        write(self.shown, "".join(parts), 0o600)


class Key:
    """As sekisho new-key makes them."""

    def __init__(self):
        secret = base64url(secrets.token_bytes(32))
        self.text = f"sekisho_{PROGRAM}_{secret}"
        self.sha256 = hashlib.sha256(secret.encode()).hexdigest()
