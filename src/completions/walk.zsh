# Walks as the program does: options and commands in any order until the first argument, and after
# "--" arguments only.
_tracker() {
  local word place=tracker ended='' given=' '
  local -a found value offers expl
  local -i count=0
  for word in "${(@)words[2,CURRENT-1]}"; do
    if (( $#value )); then
      value=()
    elif [[ -z $ended && $word == -- ]]; then
      ended=yes
    elif [[ -z $ended && $word == --* ]]; then
      _tracker_spellings "$place ${word%%=*}"
      (( $#found )) || return 1
      given+="$found[1] "
      [[ $found[2] == none || $word == *=* ]] || value=("${(@)found[2,-1]}")
    elif [[ -z $ended && $word == -?* ]]; then
      _tracker_spellings "$place ${word[1,2]}"
      (( $#found )) || return 1
      given+="$found[1] "
      [[ $found[2] == none || $#word -gt 2 ]] || value=("${(@)found[2,-1]}")
    else
      _tracker_commands "$place"
      if [[ -z $ended ]] && (( $#found )); then
        place+=" $word"
        _tracker_options "$place"
        (( $#found )) || return 1
      else
        count+=1
      fi
    fi
  done

  if (( $#value )); then
    found=("${(@)value}")
  elif [[ -z $ended && $PREFIX == --*=* ]]; then
    _tracker_spellings "$place ${PREFIX%%=*}"
    found=("${(@)found[2,-1]}")
    compset -P 1 '*='
  elif [[ -z $ended && $PREFIX == -* ]]; then
    found=(options)
  else
    _tracker_commands "$place"
    if [[ -z $ended ]] && (( $#found )); then
      _describe -t commands command found
      return
    fi
    _tracker_operands "$place $count"
    [[ -n $ended || -n $PREFIX ]] || (( $#found )) || found=(options)
  fi

  case $found[1] in
    file) _files ;;
    choices)
      offers=("${(@)found[3,-1]}")
      _wanted values expl "$found[2]" compadd -a offers
      ;;
    text)
      _message "$found[2]"
      return 1
      ;;
    options)
      _tracker_options "$place"
      for word in "${(@)found}"; do
        _tracker_spellings "$place ${word%%:*}"
        [[ $given == *" $found[1] "* ]] || offers+=("$word")
      done
      _describe -o -t options option offers
      ;;
    *) return 1 ;;
  esac
}

# A function from the fpath runs at its first call; after "source" it has to be registered.
if [[ $funcstack[1] == _tracker ]]; then
  _tracker "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _tracker tracker
fi
