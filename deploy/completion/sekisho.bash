# Completion of sekisho, sekisho-verify and sekisho-witness for bash. tests/unit/tools/documents.sh holds it to what the programs take.
_sekisho() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command
  local connection='--server --user --password-file --cacert --resolve'
  local filters='--subject --address --session --request --op --stage --decision --reason --app --method --host --path --status --from --to'
  COMPREPLY=()
  case $COMP_CWORD:${COMP_WORDS[1]} in
    1:*)
      mapfile -t COMPREPLY < <(compgen -W 'hash-password new-key config policy journal session bans enroll reset-password authenticators keys audit --help --version' -- "$word")
      return
      ;;
    2:config) mapfile -t COMPREPLY < <(compgen -W 'check schema --help' -- "$word") && return ;;
    2:policy) mapfile -t COMPREPLY < <(compgen -W 'test explain --help' -- "$word") && return ;;
    2:journal) mapfile -t COMPREPLY < <(compgen -W 'show checkpoints key --help' -- "$word") && return ;;
    2:bans) mapfile -t COMPREPLY < <(compgen -W 'list revoke --help' -- "$word") && return ;;
    2:authenticators) mapfile -t COMPREPLY < <(compgen -W 'list revoke --help' -- "$word") && return ;;
    2:keys) mapfile -t COMPREPLY < <(compgen -W 'list --help' -- "$word") && return ;;
    2:audit) mapfile -t COMPREPLY < <(compgen -W 'search show tail stats export --help' -- "$word") && return ;;
    2:session) mapfile -t COMPREPLY < <(compgen -W 'list revoke --help' -- "$word") && return ;;
  esac
  case $before in
    -o) mapfile -t COMPREPLY < <(compgen -W 'table json' -- "$word") && return ;;
    --method) mapfile -t COMPREPLY < <(compgen -W 'GET HEAD POST PUT PATCH DELETE OPTIONS' -- "$word") && return ;;
    --factor) mapfile -t COMPREPLY < <(compgen -W 'password fido2 passkey hardware certificate key token recovery oidc' -- "$word") && return ;;
    --decision) mapfile -t COMPREPLY < <(compgen -W 'allow deny challenge error' -- "$word") && return ;;
    --stage) mapfile -t COMPREPLY < <(compgen -W 'single intent outcome start progress end unknown aggregate' -- "$word") && return ;;
    --status) mapfile -t COMPREPLY < <(compgen -W '2xx 3xx 4xx 5xx' -- "$word") && return ;;
    --cacert | --password-file | --root-key) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
    --server | --user | --role | --address | --host | --path | --tenant | --resolve | --of | --network | --expires | --context) return ;;
    --subject | --session | --request | --op | --reason | --app | --from | --to | --limit | --step | -n) return ;;
  esac
  command=${COMP_WORDS[1]}
  [ "$command" = hash-password ] || [ "$command" = new-key ] || [ "$command" = enroll ] || [ "$command" = reset-password ] || command+=" ${COMP_WORDS[2]-}"
  if [[ $word == -* ]]; then
    case $command in
      hash-password) command='--with-second-factor --context' ;;
      new-key) command='--expires' ;;
      'config schema') command='--tenant' ;;
      'policy explain') command='--user --role --factor --address --method --host --path -o' ;;
      'journal show') command='--tenant --root-key' ;;
      'journal checkpoints') command='--tenant' ;;
      'bans list' | 'keys list') command="$connection --of -o" ;;
      'bans revoke') command="$connection --of --network" ;;
      enroll | reset-password | 'authenticators revoke') command=$connection ;;
      'authenticators list') command="$connection -o" ;;
      'session list') command="$connection --of -o" ;;
      'session revoke') command="$connection --of" ;;
      'audit search') command="$connection $filters -o --limit" ;;
      'audit show') command="$connection -o" ;;
      'audit tail') command="$connection $filters -o -n" ;;
      'audit stats') command="$connection $filters -o --step" ;;
      'audit export') command="$connection --from --to" ;;
      *) command= ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$command --help" -- "$word")
  else
    case $command in
      'config check' | policy* | journal* | 'audit export') mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    esac
  fi
}

_sekisho_verify() {
  local word=${COMP_WORDS[COMP_CWORD]}
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--checkpoint --key --root-key --recovery-key --json --records --tenant --version --help' -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}

_sekisho_witness() {
  local word=${COMP_WORDS[COMP_CWORD]}
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--make-key --key --name --folder --listen --log --version --help' -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}

complete -o filenames -F _sekisho sekisho
complete -o filenames -F _sekisho_witness sekisho-witness
complete -o filenames -F _sekisho_verify sekisho-verify
