#!/usr/bin/env bash
# documents.sh SEKISHO SEKISHO_VERIFY SEKISHO_WITNESS SOURCE EVENTS: help, man pages and completion name the same options, in both
# directions; the man pages of the configuration have every key of the schema, and no other, and its examples there and in
# the README are good files; EVENTS, the built page of the log, has every event, each of which is logged somewhere.
set -u
sekisho=$(realpath "$1") verify=$(realpath "$2") witness=$(realpath "$3") source=$(realpath "$4") events=$(realpath "$5")
man=$source/deploy/man failed=0
fail() { echo "FAILED: $*"; failed=1; }

# The two lists, one word a line, must be equal.
same() {
  local what=$1 difference
  difference=$(diff <(sort -u <<<"$2") <(sort -u <<<"$3")) || fail "$what:"$'\n'"$difference"
}
plain() { sed 's/\\-/-/g; s/\\f[A-Z]//g' "$1"; }
options_of() { grep -oE '^  (--?[a-z][a-z-]*)' <<<"$("$@" --help)" | tr -d ' ' | grep -vx -- --help; }
# complete WORD...: what the completion offers behind these words.
complete_words() {
  bash -c 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '"$completer"'; printf "%s\n" "${COMPREPLY[@]}"' \
    "$source/deploy/completion/sekisho.bash" "$@"
}

commands=$("$sekisho" --help | sed -n 's/^  \([a-z]\)/\1/p' | sed 's/ *\[.*//; s/ FILE.*//; s/ FOLDER.*//')
all=
completer=_sekisho
while read -r command; do
  # shellcheck disable=SC2086
  options=$(options_of "$sekisho" $command)
  all+="$options"$'\n'
  # shellcheck disable=SC2086
  same "completion of '$command'" "$options" "$(complete_words sekisho $command - | grep -vx -- --help)"
  plain "$man/sekisho.1" | grep -qE "^\.SS .*$command|^\.B sekisho $command$" || fail "sekisho.1 lacks '$command'"
done <<<"$commands"
same 'options of sekisho.1' "$(sed '/^$/d' <<<"$all")" "$(plain "$man/sekisho.1" | grep -oE '^\.BI? --?[a-z][a-z-]*' | sed 's/^\.BI\? //')"
same 'first words' "$(cut -d ' ' -f 1 <<<"$commands")" "$(complete_words sekisho '' | grep -v ^-)"
completer=_sekisho_verify
same 'options of sekisho-verify.1' "$(options_of "$verify")" "$(plain "$man/sekisho-verify.1" | grep -oE '^\.BI? --?[a-z][a-z-]*' | sed 's/^\.BI\? //' | grep -vx -- --help)"
same 'completion of sekisho-verify' "$(options_of "$verify")" "$(complete_words sekisho-verify - | grep -vx -- --help)"
completer=_sekisho_witness
same 'options of sekisho-witness.1' "$(options_of "$witness")" "$(plain "$man/sekisho-witness.1" | grep -oE '^\.BI? --?[a-z][a-z-]*' | sed 's/^\.BI\? //' | grep -vx -- --help)"
same 'completion of sekisho-witness' "$(options_of "$witness")" "$(complete_words sekisho-witness - | grep -vx -- --help)"

# Keys: the last word of a dotted one is the schema's, the words before it are mappings of their own.
keys_of_schema() {
  tr -d '\n' <"$source/gateway/conf/schema.c" | grep -oE '(TEXT|TEXTS|TEXT_OPTIONAL|TEXTS_OPTIONAL|TEXTS_OR_NONE|LIST|YES_OR_NO|CYAML_FIELD_[A-Z]+)\( *"[a-z_]+", *[A-Z_| ]*,? *struct sk_[a-z_0-9]+' |
    sed -E 's/^[A-Z_]+\( *"([a-z_]+)".*struct sk_(conf_|policy_)?(.*)$/\3 \1/'
}
keys_of_man() { plain "$1" | sed '/^\.SH ENVIRONMENT/,$d; /^\.SH EXAMPLE/,$d' | grep -A 1 -E '^\.T[PQ]$' | sed -nE 's/^\.B ([a-z_.]+)$/\1/p' | tr . '\n'; }
of() { keys_of_schema | grep -E "^($1) " | cut -d ' ' -f 2; }
[ "$(keys_of_schema | wc -l)" -gt 60 ] || fail "only $(keys_of_schema | wc -l) keys found in the schema"
same 'keys of sekisho.yaml.5' "$(of 'sk_conf|conf|service|feed|timeouts|journal|sessions|regulation|limits')" "$(keys_of_man "$man/sekisho.yaml.5")"
same 'keys of sekisho-tenant.5' "$(of 'tenant|certificate|network_source|app|health|inject|role_source|user|key|issuer|vouched|claim|contract|fido2|clients|named|test|sessions|regulation|limits')" \
  "$(keys_of_man "$man/sekisho-tenant.5")"

# Events: `names` and `ids` of the catalogue, in its order.
catalogue=$source/include/sekisho/event-ids.h
names=$(sed -nE 's/^ +X\(([A-Z_]+), "SK[0-9]{4}".*/\1/p' "$catalogue")
ids=$(sed -nE 's/^ +X\([A-Z_]+, "(SK[0-9]{4})".*/\1/p' "$catalogue")
[ "$(wc -w <<<"$names")" -gt 20 ] || fail "only $(wc -w <<<"$names") events found in the catalogue"
same 'events of sekisho-events.7' "$ids" "$(sed -n 's/^\.BR \(SK[0-9]*\) .*/\1/p' "$events")"
same 'events that are logged' "$names" "$(grep -rhoE --include='*.c' 'SK_EVENT_[A-Z_]+' "$source/gateway" | sed 's/^SK_EVENT_//')"
grep -oE 'SK[0-9]{4}' "$events" | sort -u | comm -13 <(sort <<<"$ids") - | grep . && fail 'sekisho-events.7 speaks of an event that there is not'
grep -A 1 '^\.BR SK' "$events" | grep -vE '^\.BR SK|^--$|^[A-Za-z].*\.$' && fail 'an explanation of sekisho-events.7 is no sentence'

# The examples of the pages are good files, as far as files alone can tell.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
example() { sed -n '/^\.SH EXAMPLE/,/^\.EE/p' "$1" | sed '1,2d; /^\.EE/d'; }
example "$man/sekisho-tenant.5" >"$work/tenant.yaml"
"$sekisho" policy test "$work/tenant.yaml" | grep -qx '1 passed, 0 failed' || fail "the example of sekisho-tenant.5"

# So are those of the README, with the files they name; its table of tests holds.
block() { awk -v want="$2" '/^```$/ { code = 0 } code == want { print } /^```yaml$/ { code = ++n }' "$source/$1"; }
readme() { block README.md "$1"; }
mkdir -p "$work/readme/tenants"
readme 1 >"$work/readme/sekisho.yaml"
readme 2 >"$work/readme/tenants/acme.yaml"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=acme -addext subjectAltName=DNS:acme.example.com \
  -keyout "$work/readme/tenants/acme.key" -out "$work/readme/tenants/acme.crt" 2>/dev/null
echo key >"$work/readme/tenants/pdns.key"
(umask 077 && head -c 32 /dev/urandom >"$work/readme/root.key")
said=$("$sekisho" config check "$work/readme/sekisho.yaml" 2>&1) || fail "the configuration of the README: $said"
grep -q '1 services, 1 tenants, 1 hosts, 2 apps, 2 users$' <<<"$said" || fail "the configuration of the README: $said"
said=$("$sekisho" policy test "$work/readme/tenants/acme.yaml" 2>&1)
grep -qx '2 passed, 0 failed' <<<"$said" || fail "the tests in the README's tenant file: $said"

# And each example of how long records are kept, in place of what the README's configuration says of that.
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 2>/dev/null | openssl pkey -pubout -out "$work/readme/recovery.pem" 2>/dev/null
examples=$(grep -c '^```yaml$' "$source/deploy/retention/README.md")
for ((i = 1; i <= examples; i++)); do
  { sed '/^services:/,/^[a-z]/{/^services:/d;/^ /d}; /^journal:/,/^[a-z]/{/^journal:/d;/^ /d}' "$work/readme/sekisho.yaml" && block deploy/retention/README.md "$i"; } >"$work/readme/kept.yaml"
  said=$("$sekisho" config check "$work/readme/kept.yaml" 2>&1) || fail "example $i of deploy/retention: $said"
done
[ "$examples" -gt 3 ] || fail "deploy/retention has $examples examples"
if command -v groff >/dev/null; then
  for page in "$man"/*.[1-8] "$events"; do
    warnings=$(groff -man -ww -Tutf8 -z "$page" 2>&1)
    [ -z "$warnings" ] || fail "$page: $warnings"
  done
fi
exit $failed
