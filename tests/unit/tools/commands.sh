#!/usr/bin/env bash
# commands.sh SEKISHO SEKISHO_VERIFY MAKE_JOURNAL EXAMPLES: the commands as a person runs them, with what they print.
set -u
sekisho=$(realpath "$1") verify=$(realpath "$2") make_journal=$(realpath "$3") examples=$(realpath "$4")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) failed=0 server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work" || exit 1

# expect STATUS PATTERN COMMAND...: both streams together must hold the pattern (an extended regular expression).
expect() {
  local status=$1 pattern=$2 got out
  shift 2
  out=$("$@" 2>&1 </dev/null)
  got=$?
  if [ "$got" != "$status" ] || ! grep -qE -- "$pattern" <<<"$out"; then
    printf 'FAILED: %s\n  expected %s and /%s/, got %s:\n%s\n' "$(cut -c -400 <<<"$*")" "$status" "$pattern" "$got" "${out:0:2000}"
    failed=1
  fi
}
hash() { local text=$1; shift; printf '%b' "$text" | "$sekisho" hash-password "$@"; }

# ---- help and wrong usage
expect 2 '^Usage: sekisho COMMAND' "$sekisho"
expect 0 '^Usage: sekisho COMMAND' "$sekisho" --help
expect 0 '^sekisho [0-9]' "$sekisho" --version
expect 2 'sekisho: nothing: no such command; see' "$sekisho" nothing
expect 2 'sekisho: bad: no such command in this group' "$sekisho" policy bad
expect 2 'sekisho: --bad: unknown option' "$sekisho" policy test --bad
expect 2 'sekisho: FILE: missing' "$sekisho" config check
expect 2 'sekisho: b: too much' "$sekisho" config check a b
expect 2 'sekisho: --user: a value is missing' "$sekisho" session list --user
expect 2 'sekisho: --user=b: given more than once' "$sekisho" session list --user a --user=b

# ---- hash-password
expect 0 '^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$' hash 'correct horse battery\n'
[ "$(hash 'correct horse battery\n')" != "$(hash 'correct horse battery\n')" ] || { echo "FAILED: two hashes with one salt"; failed=1; }
expect 1 'it has 14 characters, at least 15' hash '12345678901234\n'
expect 1 'it has 14 characters' hash '関所を越えて進むひとの影ふた\n'
expect 0 '^\$argon2id' hash '関所を越えて進むひとの影ふたつ\n'
expect 1 'it has 14 characters' hash 'tsurezure cafe\xcc\x81\n'
expect 0 '^\$argon2id' hash 'zq9vmwxr' --with-second-factor
expect 1 'it has 7 characters, at least 8' hash '1234567\n' --with-second-factor
expect 1 'not UTF-8' hash 'abcdefghijklmno\xff\n'
expect 1 'a character that is none to type' hash 'abcdefghijklmno\xc2\x85\n'
expect 1 'control character' hash 'abcdefghijklmno\r\n'
expect 1 'control character' hash 'abcdefgh\0ijklmno\n'
expect 1 'no line of at most 1024' hash ''
expect 0 '^\$argon2id' hash "$(printf '%s ' {1..1000} | cut -c -1023).\\n"
expect 1 'no line of at most 1024' hash "$(printf 'x%.0s' {1..1025})\\n"

# ---- config check
mkdir conf && cp -r "$examples"/sekisho.yaml "$examples"/tenants conf/ && cd conf || exit 1
cert() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test -keyout "$1.key" -out "$1.crt" \
    -addext "subjectAltName=DNS:$2" 2>/dev/null
}
cert tenants/acme acme.example.test
(umask 077 && head -c 32 /dev/urandom >root.key)
sed -i 's,/etc/sekisho/root.key,root.key,' sekisho.yaml
expect 1 'tenants/acme.yaml:[0-9]+: apps\[0\].inject\[0\].value_file: .pdns.key. cannot be read: No such file' "$sekisho" config check sekisho.yaml
echo key >tenants/pdns.key
expect 0 '^sekisho.yaml: good: 1 services, 1 tenants, 1 hosts, 2 apps, 4 users$' "$sekisho" config check sekisho.yaml
echo >>root.key
expect 1 "^sekisho.yaml:7: root_key_file: '.*root.key' has 33 bytes, 32 are needed" "$sekisho" config check sekisho.yaml
head -c 32 /dev/urandom >root.key
chmod 640 root.key
expect 1 "^sekisho.yaml:7: root_key_file: others may read '.*root.key'; chmod 0400 it" "$sekisho" config check sekisho.yaml
rm root.key
expect 0 '^sekisho.yaml:7: root_key_file: warning: .*No such file' "$sekisho" config check sekisho.yaml
sed 's/^tenant: acme/tenant: other/' tenants/acme.yaml >tenants/other.yaml
expect 1 "^tenants/other.yaml:5: hosts\[0\]: 'acme.example.test' is a host of tenants/acme.yaml already" "$sekisho" config check sekisho.yaml
cp tenants/acme.yaml tenants/other.yaml
expect 1 "^tenants/other.yaml:2: tenant: 'acme' of service 'dns' is in tenants/acme.yaml already" "$sekisho" config check sekisho.yaml
sed -e 's/^tenant: acme/tenant: other/' -e 's/acme.example.test/other.example.test/' tenants/acme.yaml >tenants/other.yaml
expect 0 "^tenants/other.yaml:5: hosts\[0\]: warning: no certificate names 'other.example.test'" "$sekisho" config check sekisho.yaml
cert tenants/other other.example.test
beyond="lets no program in, nor anybody by HTTP Basic: all that they can prove is one of password, key and token"
demand() { # LINE [KIND]: of the file above, with a demand of the tenant
  sed -e 's/^tenant: acme/tenant: other/' -e "s/acme.example.test/other.example.test/; s/^open:.*/&\n$1/; s/kind: api/kind: ${2:-api}/; s/acme\.\(crt\|key\)/other.\1/g" \
    tenants/acme.yaml >tenants/other.yaml
}
demand 'factors: password + passkey'
expect 0 "^tenants/other.yaml:5: factors: warning: 'api' $beyond; still missing: passkey$" "$sekisho" config check sekisho.yaml
expect 0 '^sekisho.yaml: good: 1 services, 2 tenants, 2 hosts, 4 apps, 8 users, 2 warnings$' "$sekisho" config check sekisho.yaml
sed -i 's,^    path: /api,&\n    factors: key + certificate,' tenants/other.yaml
expect 0 "^tenants/other.yaml:1[0-9]: apps\[0\].factors: warning: 'api' $beyond; still missing: passkey, certificate, key$" "$sekisho" config check sekisho.yaml
demand 'factors: password + passkey | key'
expect 0 ' 8 users, 1 warnings$' "$sekisho" config check sekisho.yaml
demand 'factors: password + passkey' panel
expect 0 ' 8 users, 1 warnings$' "$sekisho" config check sekisho.yaml
demand 'factors: password + certificate'
expect 0 "'api' $beyond; still missing: certificate$" "$sekisho" config check sekisho.yaml
echo 'client_certificates: {ca_file: other.crt, map: [{by: email}]}' >>tenants/other.yaml
expect 0 ' 8 users, 1 warnings$' "$sekisho" config check sekisho.yaml
sed -i 's/^factors: .*/factors: password + certificate + fido2/' tenants/other.yaml
expect 0 "'api' $beyond, with a certificate; still missing: fido2$" "$sekisho" config check sekisho.yaml
sed -i -e '/^factors/d' -e '/^client_certificates/d' -e 's/other.key/acme.key/' tenants/other.yaml
expect 1 '^tenants/other.yaml:7: certificates\[0\]: other.crt with acme.key: the key does not belong' "$sekisho" config check sekisho.yaml
sed -i 's/acme.key/missing.key/' tenants/other.yaml
expect 1 "^tenants/other.yaml:7: certificates\[0\].key_file: 'missing.key' cannot be read" "$sekisho" config check sekisho.yaml
echo 'typo: 1' >>tenants/other.yaml
expect 1 '^tenants/other.yaml:[0-9]+: .*typo' "$sekisho" config check sekisho.yaml
rm tenants/other.yaml
expect 1 'missing.yaml: cannot be read: No such file' "$sekisho" config check missing.yaml
sed -i 's/^tenants: tenants/tenants: nowhere/' sekisho.yaml
expect 1 '^sekisho: .*nowhere: No such file or directory; tenants: names the folder' "$sekisho" config check sekisho.yaml

# ---- config schema
expect 0 '^  "\$schema": "https://json-schema.org/draft/2020-12/schema",$' "$sekisho" config schema
expect 0 '^    "root_key_file": \{$' "$sekisho" config schema
expect 0 '^    "certificates": \{$' "$sekisho" config schema --tenant
expect 2 'sekisho: acme.yaml: too much' "$sekisho" config schema acme.yaml
full() { "$sekisho" config schema >/dev/full; }
expect 1 '^sekisho: standard output: No space left on device$' full

# ---- policy test and explain
sed '/^tests:/,$d' tenants/acme.yaml >plain.yaml
cp plain.yaml good.yaml && cat >>good.yaml <<'END'
tests:
  - {user: hanako, address: 192.0.2.7, path: /api/v1/servers/localhost, expect: allow, reason: allowed}
  - {user: hanako, address: 192.0.2.7, method: DELETE, path: /api/v1/servers/l/zones/a, expect: deny, reason: denied-by-rule}
  - {user: taro, address: "::ffff:192.0.2.7", method: POST, path: /api/x, expect: deny, reason: not-permitted}
  - {roles: [reader], address: 203.0.113.9, path: /, expect: deny, reason: network-not-allowed}
  - {address: 192.0.2.7, path: /, expect: challenge, reason: login-required}
  - {roles: [reader], address: 192.0.2.7, path: /a%2fb, expect: deny, reason: encoded-slash}
  - {roles: [reader], address: 192.0.2.7, host: nobody.example.test, path: /, expect: deny, reason: no-app}
END
expect 0 '^7 passed, 0 failed$' "$sekisho" policy test good.yaml
expect 0 '^14 passed, 0 failed$' "$sekisho" policy test good.yaml good.yaml
cp plain.yaml bad.yaml && cat >>bad.yaml <<'END'
tests:
  - {roles: [reader, editor], address: 192.0.2.7, method: POST, path: /x, expect: allow}
END
line=$(grep -n 'method: POST' bad.yaml | cut -d : -f 1)
expect 1 "^bad.yaml:$line: tests\[0\]: reader,editor POST acme.example.test/x from 192.0.2.7: expected allow, got deny not-permitted: " \
  "$sekisho" policy test bad.yaml
expect 1 '^7 passed, 1 failed$' "$sekisho" policy test good.yaml bad.yaml
for wrong in 'user: nemo, address: 192.0.2.7, path: /, expect: allow|there is no such user' \
  'roles: [nothing], address: 192.0.2.7, path: /, expect: allow|there is no such role' \
  'address: here, path: /, expect: deny|this is not an address' 'address: 192.0.2.7, path: /, expect: maybe|expected is allow, deny' \
  'address: 192.0.2.7, path: /, expect: deny, reason: because|there is no such reason' \
  'user: taro, roles: [reader], address: 192.0.2.7, path: /, expect: deny|a user or roles, not both'; do
  { cat plain.yaml; echo 'tests:'; echo "  - {${wrong%|*}}"; } >wrong.yaml
  expect 1 "^wrong.yaml:$line: tests\[0\].*${wrong#*|}" "$sekisho" policy test wrong.yaml
done
explain=("$sekisho" policy explain plain.yaml)
expect 0 '^deny denied-by-rule: ' "${explain[@]}" --user hanako --address 192.0.2.7 --method DELETE --path /api/v1/servers/l/zones/%65
expect 0 '^judged as /api/v1/servers/l/zones/e$' "${explain[@]}" --user hanako --address 192.0.2.7 --path /api/v1/servers/l/zones/%65
expect 0 '^  no  no rule denies +role editor: deny api DELETE' "${explain[@]}" --user hanako --address 192.0.2.7 --method DELETE --path /api/v1/servers/l/zones/e
expect 0 '^deny dot-segment: ' "${explain[@]}" --role reader --address 192.0.2.7 --path /a/%2e%2E/b
expect 0 '^challenge login-required' "${explain[@]}" --address 192.0.2.7 --path /
expect 0 '"decision":"allow","reason":"allowed"' "${explain[@]}" --role reader --address 192.0.2.7 --path / -o json
expect 2 '--path: missing' "${explain[@]}" --address 192.0.2.7
expect 2 'this is not an address' "${explain[@]}" --address x --path /
expect 1 'no such user' "${explain[@]}" --user nemo --address 192.0.2.7 --path /
expect 2 'json or table' "${explain[@]}" --address 192.0.2.7 --path / -o xml
cd ..

# ---- journal show and sekisho-verify
mkdir journal signer empty && key=$("$make_journal" journal 16000 signer) || { echo "FAILED: make-journal"; exit 1; }
printf k%.0s {1..32} >root.key
opened=("$verify" --root-key root.key) show=("$sekisho" journal show --root-key root.key)
files=$(find journal -name '*.skj' | wc -l)
[ "$files" -gt 2 ] || { echo "FAILED: $files files, the test needs several"; failed=1; }
expect 0 "^intact: $files files, [0-9]+ groups, 16000 records, 2 tenants$" "$verify" journal
expect 0 "^files   1 to $files, from the journal's beginning$" "$verify" journal
expect 0 '^opened  every record is what is hashed and signed; 1 intents are without an outcome$' "${opened[@]}" journal
expect 0 '^opened  none: ' "$verify" journal
expect 0 '"open":1,.*"opened":true,' "${opened[@]}" --json journal
expect 0 '"open":null,.*"opened":false,' "$verify" --json journal
expect 0 "^intact: $files files" "$verify" $(find journal -name '*.skj' | sort -r)
expect 0 '"intact":true,.*"records":16000,"tenants":2,' "$verify" --json journal
expect 0 '^{"time":.*"seq":0,.*"subject":"hanako"' "${opened[@]}" --records journal
expect 2 'needs --root-key' "$verify" --records journal
count() { "${opened[@]}" --records --tenant 01000000000000000000000000000000 journal 2>/dev/null | wc -l; }
expect 0 '^8000$' count
shown() { "${show[@]}" journal | wc -l; }
expect 0 '^16000$' shown
none() { "${show[@]}" journal --tenant acme@dns | wc -l; }
expect 0 '^0$' none
expect 2 'a tenant is NAME@SERVICE' "${show[@]}" journal --tenant acme
first() { "${show[@]}" journal | head -n 1; }
expect 0 '^{"time"' first
expect 1 'the folder holds no journal file' "$verify" empty
expect 1 'No such file' "$verify" nowhere
expect 2 '^Usage' "$verify"
expect 2 '^sekisho: --root-key: missing' "$sekisho" journal show journal
printf x >short.key && expect 1 'short.key: no root key: it has 32 bytes' "$verify" --root-key short.key journal
printf l%.0s {1..32} >other.key && expect 1 '^sekisho-verify: journal/keys: key 1 was changed, or is of another root key$' "$verify" --root-key other.key journal
expect 1 '^sekisho: journal/keys: key 1 was changed' "$sekisho" journal show --root-key other.key journal
rm -rf copy && cp -r journal copy && rm copy/keys && expect 1 'copy/keys: No such file' "$verify" --root-key root.key copy
expect 0 '^intact' "$verify" copy
: >copy/keys && expect 1 'the keys have none for the record.s tenant and day' "$verify" --root-key root.key copy
expect 2 'a tenant.s id has 32 hex digits' "$verify" --records --tenant 12 journal
second=journal/journal-0000000000000002.skj
last=$(find journal -name '*.skj' | sort | tail -n 1)
rest=$(find journal -name '*.skj' | sort | tail -n +2)
expect 0 "is taken from the first file's snapshot" "$verify" $rest
expect 1 'is missing' "$verify" journal/journal-0000000000000001.skj "$last"
# Each damage on a copy: FOLDER file offset byte pattern
damage() {
  rm -rf copy && cp -r journal copy
  printf '%b' "$3" | dd of="copy/$(basename "$1")" bs=1 seek="$2" conv=notrunc 2>/dev/null
  expect 1 "$4" "$verify" copy
  expect 1 '"intact":false,"file":"copy/' "$verify" --json copy
}
damage journal/journal-0000000000000001.skj 5000 '\x55' '^sekisho-verify: copy/journal-0000000000000001.skj: at byte [0-9]+, group [0-9]+, '
damage "$second" 20 '\x55' '^sekisho-verify: copy/journal-0000000000000002.skj: not a journal file'
damage "$second" 9000 '\x55' '^sekisho-verify: copy/journal-0000000000000002.skj: at byte 8192, group '
rm -rf copy && cp -r journal copy && mv copy/journal-0000000000000002.skj copy/journal-00000000000000f2.skj
expect 1 'the file.s name is not that of its number' "$verify" copy
rm -rf copy && cp -r journal copy && rm copy/journal-0000000000000002.skj
expect 1 'damaged here|does not go on|missing' "$verify" copy
expect 1 '^sekisho: copy/.*: damaged at byte' "${show[@]}" copy

# ---- a journal held to checkpoints
checkpoints=signer/checkpoints
held=("$verify" --checkpoint "$checkpoints" --key "$key")
expect 0 '^signed  not looked at: ' "$verify" journal
expect 0 '^signed  by the key that was given: 2 of 2 checkpoints met, the newest of 2[^;]*; behind them are 8000 records$' "${held[@]}" journal
expect 0 '^signed  by whomever, as no --key was given: 2 of 2' "$verify" --checkpoint "$checkpoints" journal
expect 0 '"checkpoints":2,"checkpoints_met":2,"signatures":true,"unsigned":8000}$' "${held[@]}" --json journal
expect 0 '"checkpoints":0,"checkpoints_met":0,"signatures":false,"unsigned":16000}$' "$verify" --json journal
# Files that begin behind what is signed prove nothing of it; where they begin with just that, they do.
expect 1 'the first file begins behind the 4000 signed records of tenant 0[12]0{30}: add files before it' "${held[@]}" $last
begins() { # FILE [WRONG]: a checkpoint, signed by nobody, of where the file's first tenant stands
  python3 - "$@" <<'END'
import base64, struct, sys
header = open(sys.argv[1], 'rb').read(8192)
entry = header[4096 + 136:]
root = bytearray(entry[32:64])
root[0] ^= len(sys.argv) > 2
print(f"sekisho/{header[24:40].hex()}/{header[72:88].hex()}/{entry[8:24].hex()}\n{struct.unpack('<Q', entry[24:32])[0]}\n{base64.b64encode(root).decode()}\ntime 2026-11-27T00:00:00.000Z\nclock unknown\n")
END
}
begins "$last" >begin && expect 0 '1 of 1 checkpoints met' "$verify" --checkpoint begin $last
begins "$last" wrong >begin && expect 1 'records of tenant 0[12]0{30} are not those that were signed' "$verify" --checkpoint begin $last
expect 0 '^sekisho/0{32}/[0-9a-f]{32}/01' "$sekisho" journal checkpoints "$checkpoints"
expect 0 '^time 2.*Z$' "$sekisho" journal checkpoints "$checkpoints"
expect 1 'there is no checkpoint of this tenant' "$sekisho" journal checkpoints "$checkpoints" --tenant acme@dns
mkdir other short elsewhere && "$make_journal" other 15968 signer && "$make_journal" short 1000 signer
mkdir foreign && stranger=$("$make_journal" foreign 16000 elsewhere)
expect 1 'a checkpoint of another gateway, or of another journal of it' "$verify" --checkpoint elsewhere/checkpoints journal
# One, as a text that somebody kept.
"$sekisho" journal checkpoints "$checkpoints" | sed '/^—/q' >one && expect 0 '^signed  by the key that was given: 1 of 1' "$verify" --checkpoint one --key "$key" journal
expect 2 'there is no --checkpoint' "$verify" --key "$key" journal
expect 2 'no key: it is one line' "$verify" --key x --checkpoint one journal
expect 1 'is not signed by the key that was given' "$verify" --checkpoint one --key "$stranger" journal
sed 's/^time 20/time 24/' one >changed && expect 1 'changed: is not signed by the key' "$verify" --checkpoint changed --key "$key" journal
printf 'hello\n' >changed && expect 1 'changed: is no checkpoint' "$verify" --checkpoint changed journal
head -c 4096 "$checkpoints" >changed && expect 1 'changed: holds no checkpoint' "$verify" --checkpoint changed --key "$key" journal
# The older half counts when the newer is no whole write, and nothing when both are not.
cp "$checkpoints" changed && printf x | dd of=changed bs=1 seek=8300 conv=notrunc 2>/dev/null
expect 0 '2 of 2 checkpoints met.*behind them are 10000 records' "$verify" --checkpoint changed journal
printf x | dd of=changed bs=1 seek=4200 conv=notrunc 2>/dev/null
expect 1 'changed: block 1 is damaged' "$verify" --checkpoint changed journal
# Another journal, whole in itself: longer by its time alone, or shorter than what is signed.
expect 0 '^intact' "$verify" other
expect 1 '^sekisho-verify: signer/checkpoints: the first 4000 records of tenant 0[12]0{30} are not those that were signed$' "${held[@]}" other
expect 1 'records of tenant 0[12]0{30} are signed, and the journal has 500$' "${held[@]}" short
expect 1 '"intact":false,"file":"signer/checkpoints",.*are signed, and the journal has 500"' "${held[@]}" --json short

# ---- new-key

expect 0 '^sekisho_backup_[A-Za-z0-9_-]{43}$' "$sekisho" new-key backup
expect 0 '^- \{sha256: [0-9a-f]{64}, expires: "2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"\}$' "$sekisho" new-key backup
expect 0 'expires: "2099-02-28T00:00:00Z"' "$sekisho" new-key backup --expires 2099-02-28
expect 2 'letters, digits' "$sekisho" new-key 'a b'
expect 2 'letters, digits' "$sekisho" new-key a_b
expect 2 'a time to come' "$sekisho" new-key backup --expires 2099-02-29
expect 2 'a time to come' "$sekisho" new-key backup --expires 2020-01-01
expect 2 '' "$sekisho" new-key

# ---- session list and revoke
if command -v python3 >/dev/null; then
  cert api api.example.test
  python3 "$here/fake-api.py" api.crt api.key >port &
  server=$!
  until [ -s port ]; do kill -0 "$server" || exit 1; sleep 0.02; done
  port=$(cat port)
  printf 'correct horse\n' >password
  export no_proxy='*' SEKISHO_SERVER=https://api.example.test:$port SEKISHO_USER=owner
  to=(--cacert api.crt --resolve "api.example.test:$port:127.0.0.1" --password-file password)
  expect 0 '^USER +ADDRESS +STARTED' "$sekisho" session list "${to[@]}"
  expect 0 '^hanako +192.0.2.7 +2026-11-21T03:04:05.000Z +2026-11-21T03:05:05.000Z +a1$' "$sekisho" session list "${to[@]}"
  expect 0 '^ta\?\[2Jro +2001:db8::1' "$sekisho" session list "${to[@]}"
  expect 0 '"subject": "ta\\u001B\[2Jro"' "$sekisho" session list "${to[@]}" -o json
  expect 0 '^1 ended$' "$sekisho" session revoke "${to[@]}" b/2
  expect 0 '^1 ended$' "$sekisho" session revoke "${to[@]}" --of hanako
  expect 0 '^0 ended$' "$sekisho" session revoke "${to[@]}" --of 'a&b=c d'
  expect 1 ': HTTP 404: Not Found: no such\?session$' "$sekisho" session revoke "${to[@]}" nothing
  expect 2 'give the id of one session, or --of' "$sekisho" session revoke "${to[@]}"
  expect 2 'give the id of one session, or --of' "$sekisho" session revoke "${to[@]}" a1 --of hanako
  echo wrong >password
  expect 1 ': HTTP 401; reason wrong-password; id 0123; check --user' "$sekisho" session list "${to[@]}"
  SEKISHO_PASSWORD='correct horse' expect 0 '^hanako' "$sekisho" session list --cacert api.crt --resolve "api.example.test:$port:127.0.0.1"
  expect 1 'sekisho: https://api.example.test:.*--cacert names the authority' env -u SSL_CERT_FILE -u CURL_CA_BUNDLE "$sekisho" session list \
    --resolve "api.example.test:$port:127.0.0.1" --password-file password
  expect 2 'the server is https://HOST' "$sekisho" session list "${to[@]}" --server "http://api.example.test:$port"
  expect 1 'sekisho: https://127.0.0.1:1/' "$sekisho" session list "${to[@]}" --server https://127.0.0.1:1
fi
exit $failed
