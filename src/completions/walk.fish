# Prints what fits at the cursor, one item a line: its kind, its name, and what to offer. Walks as the
# program does: options and commands in any order until the first argument, and after "--" arguments
# only.
function __tracker_wanted
    set -l place tracker
    set -l ended no
    set -l count 0
    set -l given
    set -l value
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        if set -q value[1]
            set value
        else if test $ended = no; and test "$word" = --
            set ended yes
        else if test $ended = no; and string match -q -- '-?*' $word
            set -l name (string sub -l 2 -- $word)
            set -l inline (string sub -s 3 -- $word)
            if string match -q -- '--*' $word
                set name (string replace -r '=.*' '' -- $word)
                set inline (string match -- '*=*' $word)
            end
            set -l found (__tracker_spellings "$place $name")
            set -q found[1]; or return
            set -a given $found[1]
            if test $found[2] != none; and test -z "$inline"
                set value $found[2..-1]
            end
        else
            set -l commands (__tracker_commands $place)
            if test $ended = no; and set -q commands[1]
                set place "$place $word"
                set -l known (__tracker_options $place)
                set -q known[1]; or return
            else
                set count (math $count + 1)
            end
        end
    end

    set -l current (commandline -ct)
    if set -q value[1]
        printf '%s\n' $value
    else if test $ended = no; and string match -q -- '--*=*' $current
        set -l name (string replace -r '=.*' '' -- $current)
        set -l found (__tracker_spellings "$place $name")
        set -q found[2]; or return
        printf '%s\n' $found[2..3]
        # Fish compares whole words.
        set -q found[4]; and printf '%s\n' "$name="$found[4..-1]
    else if test $ended = no; and string match -q -- '-*' $current
        printf '%s\n' options option
        __tracker_free $place $given
    else
        set -l found
        if test $ended = no
            set found (__tracker_commands $place)
            set -q found[1]; and set found choices command $found
        end
        set -q found[1]; or set found (__tracker_operands "$place $count")
        if test $ended = no; and test -z "$current"; and not set -q found[1]
            set found options option (__tracker_free $place $given)
        end
        set -q found[1]; and printf '%s\n' $found
    end
end

# The options of a place without those that are given.
function __tracker_free
    for line in (__tracker_options $argv[1])
        set -l name (string replace -r '\t.*' '' -- $line)
        set -l found (__tracker_spellings "$argv[1] $name")
        contains -- $found[1] $argv[2..-1]; or printf '%s\n' $line
    end
end

function __tracker_offers
    set -l wanted (__tracker_wanted)
    set -q wanted[3]; and printf '%s\n' $wanted[3..-1]
end

function __tracker_wants_file
    set -l wanted (__tracker_wanted)
    test "$wanted[1]" = file
end

complete -c tracker -f
complete -c tracker -k -a '(__tracker_offers)'
complete -c tracker -n __tracker_wants_file -F
