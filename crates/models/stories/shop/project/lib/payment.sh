# Stands in for the card company.

# pay CARD CENTS
pay() {
    case $1 in
        declined*)
            echo "card $1 was declined" >&2
            return 1
            ;;
        *) return 0 ;;
    esac
}
