#!/bin/sh
# The corner shop: adds up a cart and takes the money.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/money.sh"
. "$here/lib/cart.sh"
. "$here/lib/payment.sh"
. "$here/lib/checkout.sh"

usage() {
    echo "usage: shop.sh total ITEMS [COUPON]" >&2
    echo "       shop.sh checkout ITEMS COUPON CARD..." >&2
    exit 2
}

[ $# -ge 2 ] || usage
command=$1
shift

case $command in
    total) euros "$(cart_total "$@")" ;;
    checkout) checkout "$@" ;;
    *) usage ;;
esac
