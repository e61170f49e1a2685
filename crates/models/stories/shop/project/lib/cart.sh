# Prices, quantities, coupons. Everything in cents.

# price_of NAME
price_of() {
    case $1 in
        mug) echo 850 ;;
        tea) echo 420 ;;
        poster) echo 1200 ;;
        *)
            echo "there is no $1 in the shop" >&2
            return 1
            ;;
    esac
}

# percent_off COUPON: how much a coupon takes off, in percent
percent_off() {
    case $1 in
        WELCOME10) echo 10 ;;
        *) echo 0 ;;
    esac
}

# cart_total ITEMS [COUPON]: ITEMS is "name:quantity name:quantity"
cart_total() {
    sum=0
    for item in $1; do
        price=$(price_of "${item%%:*}") || return 1
        sum=$((sum + price * ${item##*:}))
    done
    off=$(percent_off "${2:-}")
    echo $((sum - sum * off / 100))
}
