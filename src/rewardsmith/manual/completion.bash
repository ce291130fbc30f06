# Completion of rewardsmith, written by `rewardsmith completion`; print it again after an update.
_rewardsmith() {
  local cur="${COMP_WORDS[COMP_CWORD]}" command="" option="" arguments=0 word i
  local options="" switches="" lists="" words=""
  [[ $cur == "=" ]] && cur=""
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    case $word in
      =) ;;
      --*=*) option="" ;;
      -*)
        option=$word
        [[ $option == -o ]] && option=--output
        [[ " $switches --json --help -h " == *" $option "* ]] && option=""
        ;;
      *)
        if [[ -n $option && " $lists " == *" $option "* ]]; then
          :
        elif [[ -n $option ]]; then
          option=""
        elif [[ -z $command ]]; then
          command=$word
          _rewardsmith_table "$command" ""
        else
          arguments=$((arguments + 1))
        fi
        ;;
    esac
  done
  COMPREPLY=()
  if [[ -z $command && -z $option ]]; then
    words="@COMMANDS@ --help --version --lang"
  elif [[ -z $option && $cur == -* ]] || [[ $cur == -* && " $lists " == *" $option "* ]]; then
    words="$options --config --lang --json --help"
  else
    _rewardsmith_table "$command" "${option:-#$arguments}"
  fi
  while IFS= read -r word; do
    [[ -n $word ]] && COMPREPLY+=("$word")
  done < <(compgen -W "$words" -- "$cur")
  return 0
}

# Sets what is known of a command, and the words that may follow one of its options, or stand as its N-th argument.
_rewardsmith_table() {
  local option=$2
  words=""
  [[ $option == --lang ]] && words="en zh"
  case $1 in
@CASES@
  esac
}

complete -o bashdefault -o default -F _rewardsmith rewardsmith
