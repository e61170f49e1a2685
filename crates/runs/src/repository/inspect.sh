# Tells what a repository is, as key=value lines. Runs in a sandbox, with GIT_DIR set. Every program that is
# started here delays the first request to the model, so few are.
set -u
{
  read -r format && read -r head && read -r branch
} <<END
$(git rev-parse --show-object-format 'HEAD^{commit}' --symbolic-full-name HEAD 2>/dev/null)
END
case ${head:-} in *[!0-9a-f]*) head= ;; esac
echo "format=${format:-sha1}"
echo "head=${head:-}"
case ${branch:-} in refs/heads/*) echo "branch=${branch#refs/heads/}" ;; esac
git config --get-regexp '^user\.(name|email)$' | while read -r key value; do echo "${key#user.}=$value"; done
if [ -n "${GIT_WORK_TREE:-}" ]; then
  [ ! -f "$GIT_WORK_TREE/.gitmodules" ] || echo "submodules=yes"
  if [ -f "$GIT_WORK_TREE/.gitattributes" ] && grep -q 'filter=lfs' "$GIT_WORK_TREE/.gitattributes"; then echo "lfs=yes"; fi
fi
