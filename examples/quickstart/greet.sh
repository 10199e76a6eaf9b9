# Greets whoever NAME names, in every way there is.
set -eu
while read -r greeting; do
  # shellcheck disable=SC2059 -- the greeting is the format
  printf "$greeting\n" "$NAME"
done < /app/greetings.txt
