"""``python -m fogline.stack``, which the launcher ``./fogline`` ends in."""

from fogline.stack.commands import main

main(prog_name="./fogline")
