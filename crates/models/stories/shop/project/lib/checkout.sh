# Pays for a cart with the first card that works.

# receipt CENTS CARD COUPON
receipt() {
    echo "paid $(euros "$1") with $2"
}

# checkout ITEMS COUPON CARD...
checkout() {
    items=$1
    coupon=$2
    shift 2
    amount=$(cart_total "$items" "$coupon") || return 1
    for card in "$@"; do
        if pay "$card" "$amount"; then
            receipt "$amount" "$card" "$coupon"
            return 0
        fi
        # Prices may have changed while the customer looked for another card.
        amount=$(cart_total "$items") || return 1
    done
    echo "no card was accepted" >&2
    return 1
}
