# Prints what the link $2 in the folder $1 shows. POSIX sh.
#
# $3 is `current`, or `earlier` for the generation before it. The answer is one line:
#     registry-publish: absent | foreign | no-earlier | built | present GENERATION
# After `present` follow the sizes of the root, its signature and the leaves, an empty line, and these files.
set -eu
LC_ALL=C
export LC_ALL
link=$2

answer() {
    echo "registry-publish: $*"
    exit 0
}

[ -d "$1" ] || answer absent
cd "$1"
[ -e "./$link" ] || answer absent # also a link to nothing
if [ ! -L "./$link" ]; then
    if [ -d "./$link" ] && [ -z "$(ls -A "./$link")" ]; then answer absent; fi
    answer foreign
fi
generations=$(pwd -P)/.$link.generations
shown=$(cd "./$link" && pwd -P) || answer foreign
generation=${shown##*/}
case $generation in *[!0-9]*) answer foreign ;; esac
[ "$shown" = "$generations/$generation" ] || answer foreign

if [ "$3" = earlier ]; then
    earlier=
    for folder in "$generations"/[0-9]*; do
        name=${folder##*/}
        case $name in *[!0-9]*) continue ;; esac
        if [ "$name" -lt "$generation" ] && [ -f "$folder/_registry/root.json" ]; then earlier=$name; fi
    done
    [ -n "$earlier" ] || answer no-earlier
    generation=$earlier
fi

cd "$generations/$generation"
[ -f _registry/root.json ] || answer built
set -- _registry/root.json
if [ -f _registry/root.json.sig ]; then set -- "$@" _registry/root.json.sig; fi
for leaf in _registry/tree/*; do
    if [ -f "$leaf" ]; then set -- "$@" "$leaf"; fi
done
echo "registry-publish: present $generation"
wc -c "$@"
echo
cat "$@"
