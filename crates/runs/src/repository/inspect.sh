# Tells what a repository is, as key=value lines. Runs in a sandbox, with GIT_DIR set.
set -u
head=$(git rev-parse --verify --quiet 'HEAD^{commit}') || head=
echo "head=$head"
echo "branch=$(git symbolic-ref --quiet --short HEAD || :)"
echo "format=$(git rev-parse --show-object-format)"
echo "name=$(git config --get user.name || :)"
echo "email=$(git config --get user.email || :)"
[ -n "$head" ] || exit 0
tree=$(git ls-tree --full-tree --name-only HEAD -- .gitmodules .gitattributes)
case "$tree" in *.gitmodules*) echo "submodules=yes" ;; esac
case "$tree" in *.gitattributes*)
  if git cat-file blob HEAD:.gitattributes | grep -q 'filter=lfs'; then echo "lfs=yes"; fi ;;
esac
if [ -n "${GIT_WORK_TREE:-}" ]; then
  echo "uncommitted=$(git status --porcelain 2>/dev/null | head -n 1000 | wc -l)"
fi
