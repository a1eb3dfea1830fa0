# Makes a generation for the link $2 in the folder $1, and shows it. POSIX sh and rsync.
#
# $3: the generation that the link must still show, or `none`
# $4: the generation that the new one starts from, or `none`
# $5: a word that no other publication has
# $6: who publishes, for the message of others that have to wait
# $7: how many seconds to wait for another publication
# $8: `resume` to keep the files that an interrupted publication sent, or `restart`
#
# Lines to the publisher, each after `registry-publish: `:
#     locked WHO           another publication is running; the end
#     moved                the link shows another generation now; the end
#     touched PATH         this file may differ from the one in $4
#     ready FOLDER         send the changed files to this folder, then the line `finish`
#     published GENERATION readers see it
# The end of the input ends the publication: the lock lives as long as the connection of its publisher.
set -eu
LC_ALL=C
export LC_ALL
link=$2 seen=$3 base=$4 token=$5 who=$6 patience=$7 leftovers=$8

say() {
    echo "registry-publish: $*"
}

is_generation() {
    case $1 in *[!0-9]*) return 1 ;; esac
    [ -d "$1" ]
}

# A generation starts as hard links to the files of another folder: no file is ever changed in place.
link_files() {
    rsync -rpt --ignore-existing --link-dest="$generations/$1" "$1/" "$2/" </dev/null
}

# The file of a lock: process, machine, word, owner. On another machine (the folder is on a network), a process
# cannot be checked.
is_of_the_dead() {
    read -r process machine _ <"$1" || return 1
    [ "$machine" = "$(uname -n)" ] || return 1
    if kill -0 "$process" 2>/dev/null; then return 1; fi
    if ps -p "$process" >/dev/null 2>&1; then return 1; fi # of another user
}

shown() {
    if [ -L "../$link" ] && [ -e "../$link" ]; then
        place=$(cd "../$link" && pwd -P)
        echo "${place##*/}"
    else
        echo none
    fi
}

mkdir -p "$1/.$link.generations"
cd "$1/.$link.generations"
generations=$(pwd -P)
if [ ! -w .. ]; then
    echo "$1: Permission denied" >&2
    exit 1
fi

mine=lock.$token
clean() {
    if cmp -s "$mine" lock; then rm -f lock; fi
    rm -rf "$mine" "$mine".*
}
trap clean EXIT
trap 'exit 1' HUP INT PIPE TERM
echo "$$ $(uname -n) $token $who" >"$mine"
# A hard link is made in one step, with its content, and never replaces a file.
until ln "$mine" lock 2>"$mine.error"; do
    if [ ! -e lock ]; then
        cat "$mine.error" >&2
        exit 1
    elif is_of_the_dead lock; then
        mv -f lock "$mine.dead" 2>/dev/null || :
    elif [ "$patience" -gt 0 ]; then
        patience=$((patience - 1))
        sleep 1
    else
        read -r _ _ _ owner <lock || owner=unknown
        say locked "$owner"
        exit 0
    fi
done
rm -f "$mine".*
for file in lock.*; do
    if [ -f "$file" ] && [ "$file" != "$mine" ] && is_of_the_dead "$file"; then rm -rf "$file" "$file.link"; fi
done
if [ "$(shown)" != "$seen" ]; then
    say moved
    exit 0
fi

# Readers never saw newer ones: their publication was interrupted just before the link was replaced.
if [ "$seen" != none ]; then
    for name in [0-9]*; do
        if is_generation "$name" && [ "$name" -gt "$seen" ]; then rm -rf "$name"; fi
    done
fi

# In a folder of its own: a transfer of an interrupted publication can still write to the folder it knows.
tree=$base.$token.next
mkdir "$tree"
for left in *.next; do
    if [ "$left" = "$tree" ]; then continue; fi
    case $leftovers-$left in resume-"$base".*) link_files "$left" "$tree" ;; esac
    rm -rf "$left"
done
if [ "$base" != none ]; then link_files "$base" "$tree"; fi
# Files with one name are not links to those of the base. Without hard links on this file system, that is all.
find "$tree" -type f -links 1 | sed "s|^$tree/|registry-publish: touched |"
say ready "$tree"
read -r word || exit 0
[ "$word" = finish ] || exit 0

if ! cmp -s "$mine" lock || [ "$(shown)" != "$seen" ]; then
    say moved
    exit 0
fi
newest=0
for name in [0-9]*; do
    if is_generation "$name"; then newest=$name; fi
done
new=$(printf %06d "$(expr "$newest" + 1)")
mv "$tree" "$new"
if [ ! -L "../$link" ] && [ -d "../$link" ]; then rmdir "../$link"; fi
mkdir "$mine.link"
ln -s ".$link.generations/$new" "$mine.link/$link"
# rsync renames a new link over the old one. `mv` would move it into the folder that the old one names.
rsync --links "$mine.link/$link" ../ </dev/null
say published "$new"

# For readers that still use them, and to return to them: the last three.
set --
for name in [0-9]*; do
    if is_generation "$name"; then set -- "$@" "$name"; fi
done
while [ $# -gt 3 ]; do
    rm -rf "$1"
    shift
done
