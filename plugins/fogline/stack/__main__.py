"""``python -m fogline.stack``, which the launcher ``./fogline`` ends in."""

import fogline.stack.branch_commands  # noqa: F401, because importing it adds its verbs
from fogline.stack.commands import main

main(prog_name="./fogline")
