"""nginx and HAProxy as their administrators configure them, and the upstream behind all products.

Where a peer has a choice, it gets the quicker one that still does the work: keep-alive without a request limit, reuse
of upstream connections, no spooling of large bodies to disk and large buffers for them, a log that is not durable.
"""

import os
import signal

from . import credentials, scenario
from .product import Product
from .system import Process, free_port, raise_file_limit, write

CONNECTIONS = 16384


def _nginx_user():
    return "user nobody nogroup;\n" if os.geteuid() == 0 else ""


def _nginx_command(folder):
    # -e: before it has read its configuration nginx would open the log compiled in, under /var/log.
    return ["/usr/sbin/nginx", "-e", os.path.join(folder, "error.log"), "-p", folder,
            "-c", os.path.join(folder, "nginx.conf"), "-g", "daemon off;"]


def _nginx_temporary(folder):
    return "".join(f"    {kind}_temp_path {folder}/temp.{kind};\n"
                   for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


class Upstream:
    """A static responder: nginx again, one process, no log, connections kept."""

    def __init__(self, world):
        self.folder = os.path.join(world.folder, "upstream")
        self.world = world
        self.port = free_port()
        self.process = None

    def start(self):
        folder = self.folder
        os.makedirs(os.path.join(folder, "files"))
        with open(os.path.join(folder, "files", "large"), "wb") as large:
            large.write(os.urandom(1024 * 1024) * (scenario.LARGE_BYTES // (1024 * 1024)))
        write(os.path.join(folder, "nginx.conf"), f"""{_nginx_user()}worker_processes 1;
worker_rlimit_nofile {raise_file_limit()};
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections {CONNECTIONS}; }}
http {{
{_nginx_temporary(folder)}    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    default_type application/json;
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        location /files/ {{ root {folder}; }}
        location / {{ return 200 "{self.world.body}"; }}
    }}
}}
""")
        self.process = Process(_nginx_command(folder), os.path.join(folder, "output.log"))
        return self

    def stop(self):
        if self.process:
            self.process.stop(dict)
            self.process = None


class Nginx(Product):
    """Knows passwords; a key by comparing the header; no tokens."""

    name = "nginx"
    credentials = ("password", "key")
    log_name = "access.log"

    def configure(self):
        folder = self.folder
        tenants = os.path.join(folder, "tenants")
        os.mkdir(tenants)
        hashed = self.world.htpasswd_hash(self.world.peer_password)
        for number in range(self.tenants):
            write(os.path.join(tenants, scenario.tenant_name(number) + ".htpasswd"), f"{scenario.USER}:{hashed}\n")
            self.write_extra(number, False)
        write(os.path.join(folder, "nginx.conf"), f"""{_nginx_user()}worker_processes auto;
worker_rlimit_nofile {raise_file_limit()};
pid {folder}/pid;
error_log {folder}/error.log error;
events {{ worker_connections {CONNECTIONS}; }}
http {{
{_nginx_temporary(folder)}    access_log {folder}/access.log combined;
    server_names_hash_max_size 65536;
    server_names_hash_bucket_size 128;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:10m;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    proxy_http_version 1.1;
    proxy_max_temp_file_size 0;
    proxy_set_header Host $host;
    proxy_set_header Connection "";
    proxy_set_header Authorization "";
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto https;
    proxy_set_header X-Forwarded-User {"$remote_user" if self.world.credential == "password" else "$program"};
{self._programs()}    upstream panel {{
        server 127.0.0.1:{self.upstream_port};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{self.port} ssl http2 default_server backlog=4096;
        ssl_reject_handshake on;
    }}
    include {tenants}/*.conf;
}}
""")

    def _programs(self):
        if self.world.credential == "password":
            return ""
        return f"""    map_hash_bucket_size 256;
    map $http_authorization $program {{ default ""; "Bearer {self.world.program_key.text}" {credentials.PROGRAM}; }}
"""

    def write_extra(self, number, extra):
        tenants = os.path.join(self.folder, "tenants")
        identify = f"""auth_basic "{scenario.tenant_name(number)}";
    auth_basic_user_file {tenants}/{scenario.tenant_name(number)}.htpasswd;""" if self.world.credential == "password" else \
            'if ($program = "") { return 401; }'
        name = scenario.tenant_name(number)
        allow = "".join(f"    allow {cidr};\n" for cidr in scenario.NETWORKS + [scenario.HERE])
        to_upstream = "proxy_pass http://panel;"
        rule = f"    location /extra/ {{ limit_except GET {{ deny all; }} {to_upstream} }}\n" if extra else ""
        mutual = (f"    ssl_client_certificate {self.world.client_certificate.authorities};\n    ssl_verify_client on;\n    ssl_verify_depth 3;\n"
                  if self.world.mutual else "")
        write(os.path.join(tenants, name + ".conf"), f"""server {{
    listen 127.0.0.1:{self.port} ssl http2;
    server_name {scenario.host(number)};
    ssl_certificate {self.world.certificate};
    ssl_certificate_key {self.world.key};
{mutual}{allow}    deny all;
    {identify}
    location /items/ {{ limit_except GET {{ deny all; }} {to_upstream} }}
    location ~ ^/items/[^/]+/notes/ {{ limit_except GET POST PUT PATCH {{ deny all; }} {to_upstream} }}
    location ^~ /items/private/ {{ deny all; }}
    location /files/ {{
        proxy_buffers 8 64k;
        proxy_busy_buffers_size 128k;
        limit_except GET {{ deny all; }}
        {to_upstream}
    }}
{rule}    location / {{ return 403; }}
}}
""")

    def command(self):
        return _nginx_command(self.folder)

    def signal_reload(self):
        self.process.child.send_signal(signal.SIGHUP)


class HAProxy(Product):
    """One backend for each tenant, found by a map from the host: HAProxy's idiom for many customers."""

    name = "haproxy"
    credentials = credentials.KINDS
    log_name = "output.log"

    def configure(self):
        self._write({})

    def write_extra(self, number, extra):
        self._write({number: extra})

    def _identify(self, name):
        """Who asks: the rules that let nobody else pass, and where his name is then."""
        world = self.world
        if world.credential == "password":
            return f"    http-request auth realm {name} unless {{ http_auth({name}) }}\n", "http_auth_user"
        if world.credential == "key":
            return (f"    http-request deny deny_status 401 unless {{ http_auth_bearer -m str {world.program_key.text} }}\n",
                    f"str({credentials.PROGRAM})")
        issuer = world.issuers[world.credential]
        return f"""    http-request set-var(txn.token) http_auth_bearer
    http-request set-var(txn.alg) var(txn.token),jwt_header_query('$.alg')
    http-request set-var(txn.iss) var(txn.token),jwt_payload_query('$.iss')
    http-request set-var(txn.aud) var(txn.token),jwt_payload_query('$.aud')
    http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')
    http-request set-var(txn.now) date()
    http-request deny deny_status 401 unless {{ var(txn.alg) -m str {issuer.algorithm} }}
    http-request deny deny_status 401 unless {{ var(txn.iss) -m str {credentials.ISSUER} }}
    http-request deny deny_status 401 unless {{ var(txn.aud) -m str {credentials.AUDIENCE} }}
    http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}
    http-request deny deny_status 401 unless {{ var(txn.token),jwt_verify(txn.alg,"{issuer.public}") 1 }}
""", "var(txn.token),jwt_payload_query('$.sub')"

    def _write(self, extras):
        folder = self.folder
        allowed = " ".join(scenario.NETWORKS + [scenario.HERE])
        password = self.world.userlist_password(self.world.peer_password)
        user = "    user nobody\n    group nogroup\n" if os.geteuid() == 0 else ""
        # The log goes to standard output, a plain file here: a syslog daemon would cost extra and belongs to nobody.
        mutual = f" ca-file {self.world.client_certificate.authorities} verify required" if self.world.mutual else ""
        parts = [f"""global
    maxconn {CONNECTIONS // 2}
    log stdout format raw local0
{user}    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    log global
    option httplog
    option forwardfor
    http-reuse always
    timeout connect 5s
    timeout client 3600s
    timeout server 60s
    timeout http-keep-alive 3600s
frontend gate
    bind 127.0.0.1:{self.port} ssl crt {self.world.pem}{mutual} alpn h2,http/1.1 backlog 4096
    use_backend %[req.hdr(host),field(1,:),lower,map({folder}/hosts.map)]
    default_backend nobody
backend nobody
    http-request deny deny_status 421
"""]
        hosts = []
        for number in range(self.tenants):
            name = scenario.tenant_name(number)
            hosts.append(f"{scenario.host(number)} {name}\n")
            rule = "    http-request allow if read { path_beg /extra/ }\n" if extras.get(number) else ""
            identify, who = self._identify(name)
            parts.append(f"""userlist {name}
    user {scenario.USER} {password}
backend {name}
    acl from src {allowed}
    acl read method GET HEAD
    acl note path_reg ^/items/[^/]+/notes/
    http-request deny unless from
{identify}    http-request set-header X-Forwarded-User %[{who}]
    http-request set-header X-Forwarded-Proto https
    http-request del-header Authorization
    http-request deny if {{ path_beg /items/private/ }}
    http-request allow if read {{ path_beg /items/ /files/ }}
    http-request allow if {{ method POST PUT PATCH }} note
{rule}    http-request deny
    server upstream 127.0.0.1:{self.upstream_port}
""")
        write(os.path.join(folder, "hosts.map"), "".join(hosts))
        write(os.path.join(folder, "haproxy.cfg"), "".join(parts), 0o600)

    def command(self):
        return ["/usr/sbin/haproxy", "-W", "-db", "-f", os.path.join(self.folder, "haproxy.cfg")]

    def signal_reload(self):
        self.process.child.send_signal(signal.SIGUSR2)


PEERS = (Nginx, HAProxy)

