# Cents in, euros out.

# euros CENTS: writes 1850 as 18.50
euros() {
    printf '%d.%02d\n' "$(($1 / 100))" "$(($1 % 100))"
}
