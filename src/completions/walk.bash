# Bash also cuts words at "=" and ":". Joins what no space separates: sets words, the words before the
# one at the cursor, and current, that word up to the cursor.
_tracker_words() {
  local line=${COMP_LINE:0:COMP_POINT} space i
  words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    space=${line%%[![:space:]]*}
    line=${line#"$space"}
    current=${COMP_WORDS[i]}
    ((i < COMP_CWORD)) || current=$line
    line=${line#"$current"}
    if ((i > 0)) && [[ -z $space ]]; then
      words[${#words[@]} - 1]+=$current
    else
      words+=("$current")
    fi
  done
  i=$((${#words[@]} - 1))
  current=${words[i]}
  unset 'words[i]'
}

# Walks as the program does: options and commands in any order until the first argument, and after
# "--" arguments only.
_tracker() {
  local words=() current word place=tracker given=' ' ended='' count=0 found=() value=() head=''
  COMPREPLY=()
  _tracker_words
  for word in "${words[@]:1}"; do
    if ((${#value[@]})); then
      value=()
    elif [[ -z $ended && $word == -- ]]; then
      ended=yes
    elif [[ -z $ended && $word == --* ]]; then
      _tracker_spellings "$place ${word%%=*}"
      ((${#found[@]})) || return 0
      given+="${found[0]} "
      [[ ${found[1]} == none || $word == *=* ]] || value=("${found[@]:1}")
    elif [[ -z $ended && $word == -?* ]]; then
      _tracker_spellings "$place ${word:0:2}"
      ((${#found[@]})) || return 0
      given+="${found[0]} "
      [[ ${found[1]} == none || ${#word} -gt 2 ]] || value=("${found[@]:1}")
    else
      _tracker_commands "$place"
      if [[ -z $ended ]] && ((${#found[@]})); then
        place+=" $word"
        _tracker_options "$place"
        ((${#found[@]})) || return 0
      else
        count=$((count + 1))
      fi
    fi
  done

  if ((${#value[@]})); then
    found=("${value[@]}")
  elif [[ -z $ended && $current == --*=* ]]; then
    head=${current%%=*}
    _tracker_spellings "$place $head"
    found=("${found[@]:1}")
    head+='='
  elif [[ -z $ended && $current == -* ]]; then
    found=(options)
  else
    _tracker_commands "$place"
    if [[ -z $ended ]] && ((${#found[@]})); then
      found=(choices command "${found[@]}")
    else
      _tracker_operands "$place $count"
      [[ -n $ended || -n $current ]] || ((${#found[@]})) || found=(options)
    fi
  fi

  case ${found[0]} in
    file)
      # Readline's own completion quotes the names of files.
      compopt -o default 2> /dev/null
      return 0
      ;;
    choices) found=("${found[@]:2}") ;;
    options)
      local offered=() option
      _tracker_options "$place"
      for option in "${found[@]}"; do
        [[ $given == *" $option "* ]] || offered+=("$option")
      done
      found=("${offered[@]}")
      ;;
    *) return 0 ;;
  esac
  # Readline replaces only what follows the last "=" or ":", which is $2.
  local kept=${current%"$2"}
  for word in "${found[@]}"; do
    word=$head$word
    [[ $word == "$current"* ]] && COMPREPLY+=("${word#"$kept"}")
  done
  return 0
}

complete -F _tracker tracker
