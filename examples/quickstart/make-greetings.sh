# Turns a list of words into greetings: sorted, one per line, with a gap for the name.
set -eu
sort "$1" | while read -r word; do
  echo "$word, %s!"
done
