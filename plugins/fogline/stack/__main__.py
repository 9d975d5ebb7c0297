"""``python -m fogline.stack``, which the launcher ``./fogline`` ends in."""

import fogline.stack.branch_commands
import fogline.stack.history_commands
import fogline.stack.quarantine_commands
import fogline.stack.readings_commands  # noqa: F401, because importing these adds their verbs
from fogline.stack.commands import main

main(prog_name="./fogline")
