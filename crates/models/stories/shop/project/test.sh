#!/bin/sh
# The shop's tests: sh test.sh
cd "$(dirname "$0")" || exit 1

passed=0
failed=0

# check NAME WANTED COMMAND...: the command's first line must be WANTED
check() {
    name=$1
    wanted=$2
    shift 2
    got=$("$@" 2>/dev/null)
    got=${got%%
*}
    if [ "$got" = "$wanted" ]; then
        passed=$((passed + 1))
        echo "ok    $name"
    else
        failed=$((failed + 1))
        echo "FAIL  $name: wanted '$wanted', got '$got'"
    fi
}

check "a cart adds up" "21.20" sh shop.sh total "mug:2 tea:1"
check "a coupon takes a tenth off" "19.08" sh shop.sh total "mug:2 tea:1" WELCOME10
check "an unknown coupon takes nothing off" "21.20" sh shop.sh total "mug:2 tea:1" NONSENSE
check "an unknown item is refused" "" sh shop.sh total "sofa:1"
check "the first card pays" "paid 19.08 with card-1111" sh shop.sh checkout "mug:2 tea:1" WELCOME10 card-1111
check "the second card pays the same" "paid 19.08 with card-2222" sh shop.sh checkout "mug:2 tea:1" WELCOME10 declined-1111 card-2222
check "no card, no sale" "" sh shop.sh checkout "mug:1" WELCOME10 declined-1111

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
