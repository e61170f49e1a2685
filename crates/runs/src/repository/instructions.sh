# Prints the files $1 ... of commit $head, each as `git cat-file --batch` does, links followed within the tree. Cut where a
# file is larger than anybody reads.
for file in "$@"; do echo "$head:$file"; done | git cat-file --batch --follow-symlinks 2>/dev/null | head -c 524288
exit 0
